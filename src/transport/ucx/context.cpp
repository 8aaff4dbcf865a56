// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/ucx/context.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/env.h"
#include "base/log.h"
#include "transport/ucx/quiet.h"

namespace goss::ucx {

namespace {

// What Gossamer wants otherwise than UCX, where the user has said nothing.
struct Setting {
  const char* name;
  const char* value;
};
constexpr Setting kSettings[] = {
    // Ranks that share memory do not come here; those of one host that do shall be apart.
    {"TLS", "^sm"},
    {"WARN_UNUSED_ENV_VARS", "n"},
    // Something is sent to every peer once a second, so silence is noticed (socket_watch.h).
    {"KEEPALIVE_INTERVAL", "1s"},
    {"KEEPALIVE_NUM_EPS", "4096"},
};
// The same for the single transports, which read them from the environment: UCX 1.13 has no other
// way that works for all of them.
constexpr const char* kTransportSettings[] = {
    // Packets of 64 KiB: an eighth of the system calls of the default of 8 KiB.
    "UCX_TCP_TX_SEG_SIZE=64K",
    "UCX_TCP_RX_SEG_SIZE=64K",
    "UCX_SELF_SEG_SIZE=64K",
    // A connection to a host that does not answer must not stop the others.
    "UCX_TCP_CONN_NB=y",
    // Without these UCX refuses shared memory for endpoints that report the death of a peer.
    "UCX_POSIX_ERROR_HANDLING=y",
    "UCX_SYSV_ERROR_HANDLING=y",
};

constexpr unsigned kOldest[] = {1, 13, 1};

bool user_set(const char* name) {
  return launcher_text((std::string("UCX_") + name).c_str()).has_value() ||
         launcher_text((std::string("GOSS_UCX_") + name).c_str()).has_value();
}

Status check_version() {
  unsigned version[3] = {};
  ucp_get_version(&version[0], &version[1], &version[2]);
  if (std::lexicographical_compare(version, version + 3, kOldest, kOldest + 3)) {
    return fail(gossSystemError, "UCX %u.%u.%u is too old: 1.13.1 or later is needed", version[0],
                version[1], version[2]);
  }
  return {};
}

Result<ucp_context_h> make_context() {
  GOSS_TRY(check_version());
  ucp_config_t* config = nullptr;
  // GOSS_UCX_TLS counts before UCX_TLS, and so on.
  if (const ucs_status_t status = ucp_config_read("GOSS", nullptr, &config); status != UCS_OK) {
    return failure(status, "UCX cannot read its variables (UCX_*)");
  }
  for (const Setting& setting : kSettings) {
    if (user_set(setting.name)) continue;
    const ucs_status_t status = ucp_config_modify(config, setting.name, setting.value);
    if (status != UCS_OK) {
      log(LogLevel::kDebug, "UCX has no setting %s", setting.name);
    }
  }
  const EnvOverlay settings(kTransportSettings);
  ucp_params_t params{};
  params.field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_MT_WORKERS_SHARED |
                      UCP_PARAM_FIELD_NAME;
  params.features = UCP_FEATURE_AM | UCP_FEATURE_WAKEUP;
  params.mt_workers_shared = 1;  // workers belong to ranks, which may be threads
  params.name = "gossamer";
  ucp_context_h context = nullptr;
  const ucs_status_t status = ucp_init(&params, config, &context);
  ucp_config_release(config);
  if (status != UCS_OK) {
    return failure(status,
                   "UCX finds no network that it can use (see UCX_TLS, UCX_NET_DEVICES and "
                   "`ucx_info -d`)");
  }
  return context;
}

}  // namespace

Status failure(ucs_status_t status, const char* what) {
  return fail(gossSystemError, "%s: %s", what, ucs_status_string(status));
}

Result<ucp_context_h> process_context(bool alone) {
  static std::mutex mutex;
  static ucp_context_h context = nullptr;
  static bool redirected = false;
  const std::lock_guard lock(mutex);
  if (context != nullptr) return context;
  const SignalsBlocked signals;
  if (alone && !std::exchange(redirected, true)) redirect_log();
  GOSS_TRY_ASSIGN(context, make_context());
  return context;
}

Result<Worker> Worker::create(ucp_context_h context) {
  const SignalsBlocked signals;
  const EnvOverlay settings(kTransportSettings);
  ucp_worker_params_t params{};
  params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  params.thread_mode = UCS_THREAD_MODE_SERIALIZED;
  ucp_worker_h worker = nullptr;
  if (const ucs_status_t status = ucp_worker_create(context, &params, &worker); status != UCS_OK) {
    return failure(status, "UCX cannot open its networks");
  }
  return Worker(worker);
}

Result<std::string> Worker::address() const {
  ucp_address_t* address = nullptr;
  size_t bytes = 0;
  const ucs_status_t status = ucp_worker_get_address(handle_, &address, &bytes);
  if (status != UCS_OK) return failure(status, "UCX does not say its address");
  std::string text(reinterpret_cast<const char*>(address), bytes);
  ucp_worker_release_address(handle_, address);
  return text;
}

Result<size_t> Worker::packet_bytes() const {
  ucp_worker_attr_t attributes{};
  attributes.field_mask = UCP_WORKER_ATTR_FIELD_MAX_AM_HEADER;
  const ucs_status_t status = ucp_worker_query(handle_, &attributes);
  if (status != UCS_OK) return failure(status, "UCX does not say how long its packets are");
  // UCX derives it from the shortest packet of its networks, less its own headers.
  return attributes.max_am_header;
}

}  // namespace goss::ucx
