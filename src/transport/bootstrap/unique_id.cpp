// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/bootstrap/unique_id.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>

#include "transport/bootstrap/socket.h"
#include "transport/bootstrap/wire.h"
#include "transport/hmac.h"

namespace goss::bootstrap {

namespace {

// Layout: magic 8, flags 1, zeros 7, address 24, job 16, secret 32, zeros 24, check 16.
constexpr std::string_view kMagic = "GossID1\n";
constexpr size_t kCheckBytes = 16;
constexpr size_t kBodyBytes = GOSS_UNIQUE_ID_BYTES - kCheckBytes;
constexpr size_t kUsedBytes = 8 + 1 + 7 + kAddressBytes + 16 + kSecretBytes;
static_assert(kUsedBytes <= kBodyBytes);
constexpr uint8_t kRootListens = 1;

Digest check_of(std::string_view body) { return sha256({"gossamer unique id", body}); }

}  // namespace

Result<UniqueId> UniqueId::parse(const gossUniqueId& bytes) {
  const std::string_view all(bytes.internal, GOSS_UNIQUE_ID_BYTES);
  const std::string_view body = all.substr(0, kBodyBytes);
  GOSS_TRY(check_crypto());
  UniqueId id;
  Address address;
  Reader in(body);
  const bool known = in.raw(kMagic.size()) == kMagic;
  const uint8_t flags = in.u8();
  in.raw(7);
  const bool has_address = decode(&in, &address);
  in.raw(id.job.data(), id.job.size());
  in.raw(id.secret.data(), id.secret.size());
  if (!known || !has_address || !in.ok() ||
      !equal_digests(check_of(body).data(), all.data() + kBodyBytes, kCheckBytes)) {
    return fail(gossInvalidArgument,
                "the unique id is not one of gossGetUniqueId of this version, or was damaged on "
                "its way: pass all %d bytes unchanged to every rank",
                GOSS_UNIQUE_ID_BYTES);
  }
  id.root_listens = (flags & kRootListens) != 0;
  id.address = address.storage;
  id.address_bytes = address.bytes;
  return id;
}

gossUniqueId UniqueId::serialize() const {
  Address where;
  where.storage = address;
  where.bytes = address_bytes;
  Writer out;
  out.raw(kMagic);
  out.u8(root_listens ? kRootListens : 0);
  out.zeros(7);
  encode(where, &out);
  out.raw(view(job));
  out.raw(view(secret));
  out.zeros(kBodyBytes - kUsedBytes);
  out.raw(check_of(out.bytes()).data(), kCheckBytes);
  gossUniqueId id;
  std::memcpy(id.internal, out.bytes().data(), GOSS_UNIQUE_ID_BYTES);
  return id;
}

Secret secret_from_text(const std::string& text) {
  return sha256({"gossamer secret from text", text});
}

Status fill_random(void* data, size_t bytes) {
  auto* next = static_cast<unsigned char*>(data);
  while (bytes > 0) {
    const ssize_t got = ::getrandom(next, bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail_errno(errno, "the operating system gives no random bytes");
    next += got;
    bytes -= static_cast<size_t>(got);
  }
  return {};
}

}  // namespace goss::bootstrap
