// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/ucx/ucx_messenger.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <sstream>

#include "base/log.h"

namespace goss::ucx {

using transport::MessageKey;
using transport::MessageRequest;
using transport::Packet;
using transport::PacketHeader;

namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kPacketId = 0;  // of the active message; the worker is ours alone
// Longer packets save nothing and make a slow network coarse.
constexpr size_t kMaxPacketBytes = 64 << 10;
// Fruitless polls between two looks at the clock.
constexpr int kIdleRounds = 64;
// How long leaving waits for a network that does not take what was sent, and for peers that do not
// say that they have it: the library's thread looks four times a second.
constexpr std::chrono::milliseconds kLeaveLimit{1000};
// And for a network adapter to send what it has taken. TCP is done before: its kernel goes on.
constexpr std::chrono::milliseconds kFlushLimit{20};

// A Packet as UCX's datatype.
void* start_pack(void*, const void* packet, size_t) { return const_cast<void*>(packet); }
size_t packed_size(void* packet) { return static_cast<const Packet*>(packet)->wire_bytes(); }
size_t pack(void* packet, size_t offset, void* out, size_t capacity) {
  return static_cast<const Packet*>(packet)->write(offset, static_cast<std::byte*>(out), capacity);
}
void finish(void*) {}

Result<ucp_datatype_t> make_packet_type() {
  static constexpr ucp_generic_dt_ops_t kOperations = {start_pack, nullptr, packed_size,
                                                       pack,       nullptr, finish};
  ucp_datatype_t type{};
  const ucs_status_t status = ucp_dt_create_generic(&kOperations, nullptr, &type);
  if (status != UCS_OK) return failure(status, "UCX makes no datatype");
  return type;
}

}  // namespace

Result<transport::MessengerPtr> UcxMessenger::create(const transport::MessengerOptions& options,
                                                     bool alone) {
  GOSS_TRY_ASSIGN(const ucp_context_h context, process_context(alone));
  GOSS_TRY_ASSIGN(Worker worker, Worker::create(context));
  GOSS_TRY_ASSIGN(std::string address, worker.address());
  GOSS_TRY_ASSIGN(const size_t packet_bytes, worker.packet_bytes());
  GOSS_TRY_ASSIGN(const ucp_datatype_t type, make_packet_type());
  std::unique_ptr<UcxMessenger> messenger(
      new UcxMessenger(options, std::move(worker), std::move(address), packet_bytes, type));
  ucs_status_t status = ucp_worker_get_efd(messenger->worker_.get(), &messenger->fd_);
  if (status != UCS_OK) return failure(status, "UCX has no descriptor to wait for");
  messenger->sockets_.emplace(messenger->fd_);
  ucp_am_handler_param_t handler{};
  handler.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_FLAGS |
                       UCP_AM_HANDLER_PARAM_FIELD_CB | UCP_AM_HANDLER_PARAM_FIELD_ARG;
  handler.id = kPacketId;
  handler.flags = UCP_AM_FLAG_WHOLE_MSG;
  handler.cb = on_packet;
  handler.arg = messenger.get();
  status = ucp_worker_set_am_recv_handler(messenger->worker_.get(), &handler);
  if (status != UCS_OK) return failure(status, "UCX takes no handler");
  return transport::MessengerPtr(std::move(messenger));
}

UcxMessenger::UcxMessenger(const transport::MessengerOptions& options, Worker worker,
                           std::string address, size_t packet_bytes, ucp_datatype_t packet_type)
    : pid_(::getpid()),
      rank_(options.rank),
      address_(std::move(address)),
      packet_type_(packet_type),
      // A network with tiny packets costs UCX's own fragments instead.
      protocol_(options.rank, options.nranks,
                std::clamp<size_t>(packet_bytes, 4096, kMaxPacketBytes) - sizeof(PacketHeader),
                this),
      peers_(static_cast<size_t>(options.nranks)),
      worker_(std::move(worker)) {
  failed_.reserve(peers_.size());
  closing_.reserve(2 * peers_.size());  // a flush and an end of each
  for (size_t i = 0; i < peers_.size(); ++i) {
    peers_[i].messenger = this;
    peers_[i].rank = static_cast<int>(i);
  }
}

UcxMessenger::~UcxMessenger() {
  if (::getpid() != pid_) {
    worker_.release();
    return;
  }
  leave(true);
}

void UcxMessenger::leave(bool hurry) {
  std::unique_lock lock(mutex_);
  if (std::exchange(left_, true)) return;
  end(&lock, hurry);
  closed_ = true;
}

Status UcxMessenger::connect(std::vector<std::string> addresses) {
  const std::lock_guard lock(mutex_);
  if (addresses.size() != peers_.size()) {
    return fail(gossInternalError, "%zu addresses for %zu ranks", addresses.size(), peers_.size());
  }
  for (size_t i = 0; i < peers_.size(); ++i) peers_[i].address = std::move(addresses[i]);
  protocol_.start();
  return {};
}

void UcxMessenger::send(int peer, const MessageKey& key, std::span<const std::byte> data,
                        MessageRequest* request) {
  const std::lock_guard lock(mutex_);
  protocol_.send(peer, key, data, request);
  wake_others();
}

void UcxMessenger::receive(int peer, const MessageKey& key, std::span<std::byte> buffer,
                           MessageRequest* request) {
  const std::lock_guard lock(mutex_);
  protocol_.receive(peer, key, buffer, request);
  if (protocol_.has_work()) protocol_.pump();
  wake_others();
}

bool UcxMessenger::cancel(MessageRequest* request) {
  const std::lock_guard lock(mutex_);
  const int peer = protocol_.cancel(request);
  if (peer >= 0) peers_[static_cast<size_t>(peer)].impaired = true;
  if (protocol_.has_work()) protocol_.pump();
  return true;
}

void UcxMessenger::forget(uint64_t communicator) {
  const std::lock_guard lock(mutex_);
  protocol_.forget(communicator);
  if (protocol_.has_work()) protocol_.pump();
}

// Once this rank has left, the library's thread calls nothing of UCX, which takes itself apart as
// the process ends.
bool UcxMessenger::progress() {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  std::erase(sleepers_, std::this_thread::get_id());
  const bool moved = move();
  wake_others();
  return moved;
}

bool UcxMessenger::move() {
  bool moved = ucp_worker_progress(worker_.get()) != 0;
  if (!moved && ++idle_rounds_ >= kIdleRounds) watch_sockets();
  if (!failed_.empty()) {
    bury_failed();
    moved = true;
  }
  if (!closing_.empty()) collect_closed();
  return protocol_.pump() || moved;
}

void UcxMessenger::watch_sockets() {
  idle_rounds_ = 0;
  for (const std::string& end : sockets_->check()) {
    log(LogLevel::kDebug, "rank %d: the host of %s is silent", rank_, end.c_str());
  }
}

bool UcxMessenger::arm() {
  const std::lock_guard lock(mutex_);
  if (closed_) return true;
  watch_sockets();  // once a second at least: UCX's own keepalive ends the sleep
  if (protocol_.has_work() || !failed_.empty()) return false;
  if (ucp_worker_arm(worker_.get()) != UCS_OK) return false;
  const auto self = std::this_thread::get_id();
  if (sleepers_.empty()) ended_seen_ = protocol_.ended();
  if (std::find(sleepers_.begin(), sleepers_.end(), self) == sleepers_.end()) {
    sleepers_.push_back(self);
  }
  return true;
}

// A request of a thread that sleeps may have ended in this one.
void UcxMessenger::wake_others() {
  if (sleepers_.empty() || protocol_.ended() == ended_seen_) return;
  ended_seen_ = protocol_.ended();
  sleepers_.clear();
  ucp_worker_signal(worker_.get());
}

Status UcxMessenger::fate(int peer) const {
  const std::lock_guard lock(mutex_);
  return protocol_.fate(peer);
}

// UCX 1.13 tells it in print only: lines like "#   lane[0]:  1:tcp/eth0.0 md[2] -> ...".
std::string UcxMessenger::describe(int peer) const {
  const std::lock_guard lock(mutex_);
  const ucp_ep_h endpoint = peers_[static_cast<size_t>(peer)].endpoint;
  char* print = nullptr;
  size_t bytes = 0;
  std::FILE* const stream = endpoint == nullptr ? nullptr : ::open_memstream(&print, &bytes);
  if (stream == nullptr) return "";
  ucp_ep_print_info(endpoint, stream);
  std::fclose(stream);
  std::istringstream lines(std::string(print, bytes));
  std::free(print);
  std::string lanes;
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(':', std::min(line.find("lane["), line.size()));
    const size_t number = colon == std::string::npos ? colon : line.find(':', colon + 1);
    if (number == std::string::npos) continue;
    const std::string lane = line.substr(number + 1, line.find_first_of(". ", number) - number - 1);
    if (lanes.find(lane) == std::string::npos) lanes += (lanes.empty() ? "" : ", ") + lane;
  }
  return lanes;
}

uint64_t UcxMessenger::sent_bytes() const {
  const std::lock_guard lock(mutex_);
  return protocol_.sent_bytes();
}

// ---- packets ----------------------------------------------------------------------------------

bool UcxMessenger::transmit(int rank, Packet* packet) noexcept {
  Peer& peer = peers_[static_cast<size_t>(rank)];
  if (peer.failed || closed_) return true;
  if (peer.endpoint == nullptr) {
    note_failure(&peer, [&] { return open(&peer); });
    if (peer.failed) return true;
  }
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA |
                       UCP_OP_ATTR_FIELD_FLAGS | UCP_OP_ATTR_FIELD_MEMORY_TYPE;
  param.flags = UCP_AM_SEND_FLAG_EAGER;
  param.cb.send = on_transmitted;
  param.user_data = packet;
  param.memory_type = UCS_MEMORY_TYPE_HOST;
  const void* data = &packet->header;
  size_t count = packet->wire_bytes();
  if (!packet->contiguous()) {
    param.op_attr_mask |= UCP_OP_ATTR_FIELD_DATATYPE;
    param.datatype = packet_type_.get();
    data = packet;
    count = 1;
  }
  const ucs_status_ptr_t result =
      ucp_am_send_nbx(peer.endpoint, kPacketId, nullptr, 0, data, count, &param);
  if (result == nullptr) return true;
  if (!UCS_PTR_IS_ERR(result)) return false;
  note_failure(&peer, [&] {
    return fail(gossRemoteError, "the connection to rank %d broke: %s", rank,
                ucs_status_string(UCS_PTR_STATUS(result)));
  });
  return true;
}

void UcxMessenger::on_transmitted(void* request, ucs_status_t, void* packet) noexcept {
  // What went wrong comes to on_error() as well.
  auto* const sent = static_cast<Packet*>(packet);
  ucp_request_free(request);
  sent->owner->transmitted(sent);
}

ucs_status_t UcxMessenger::on_packet(void* self, const void*, size_t, void* data, size_t bytes,
                                     const ucp_am_recv_param_t* param) noexcept {
  const bool whole = (param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) == 0;
  if (!whole || bytes < sizeof(PacketHeader)) return UCS_OK;  // a stranger's
  PacketHeader header;
  std::memcpy(&header, data, sizeof(header));
  const std::span payload(static_cast<const std::byte*>(data) + sizeof(header),
                          bytes - sizeof(header));
  static_cast<UcxMessenger*>(self)->protocol_.arrived(header, payload);
  return UCS_OK;
}

// ---- connections ------------------------------------------------------------------------------

Status UcxMessenger::open(Peer* peer) {
  if (peer->address.empty()) {
    return fail(gossInternalError, "rank %d has no address of messages", peer->rank);
  }
  ucp_ep_params_t params{};
  params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE |
                      UCP_EP_PARAM_FIELD_ERR_HANDLER;
  params.address = reinterpret_cast<const ucp_address_t*>(peer->address.data());
  params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
  params.err_handler.cb = on_error;
  params.err_handler.arg = peer;
  const ucs_status_t status = ucp_ep_create(worker_.get(), &params, &peer->endpoint);
  if (status == UCS_OK) return {};
  peer->endpoint = nullptr;
  return fail(gossRemoteError,
              "UCX cannot reach rank %d: %s (see UCX_TLS and UCX_NET_DEVICES on both hosts)",
              peer->rank, ucs_status_string(status));
}

void UcxMessenger::on_error(void* arg, ucp_ep_h, ucs_status_t status) noexcept {
  auto* const peer = static_cast<Peer*>(arg);
  peer->messenger->note_failure(peer, [&] {
    return fail(gossRemoteError, "the connection to rank %d was lost: %s", peer->rank,
                ucs_status_string(status));
  });
}

// The rest, which calls back into UCX and into the protocol, waits until both have returned.
// `say`: what has failed; ok: nothing. There may be no memory for that.
template <class Say>
void UcxMessenger::note_failure(Peer* peer, Say say) noexcept {
  if (peer->failed) return;
  Status reason;
  try {
    reason = say();
  } catch (const std::exception&) {
    reason = out_of_memory();
  }
  if (reason.ok()) return;
  peer->failed = true;
  failed_.push_back({peer->rank, std::move(reason)});
}

void UcxMessenger::bury_failed() {
  while (!failed_.empty()) {  // closing may add to them
    const Failed failed = std::move(failed_.back());
    failed_.pop_back();
    protocol_.lost(failed.rank, failed.reason);
    close(&peers_[static_cast<size_t>(failed.rank)]);
    log(LogLevel::kDebug, "rank %d: %s", rank_, failed.reason.message().c_str());
  }
}

void UcxMessenger::close(Peer* peer) {
  if (peer->endpoint == nullptr) return;
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
  param.flags = UCP_EP_CLOSE_FLAG_FORCE;
  const ucs_status_ptr_t closing = ucp_ep_close_nbx(std::exchange(peer->endpoint, nullptr), &param);
  if (UCS_PTR_IS_PTR(closing)) closing_.push_back(closing);
}

void UcxMessenger::collect_closed() {
  std::erase_if(closing_, [](ucs_status_ptr_t closing) {
    if (ucp_request_check_status(closing) == UCS_INPROGRESS) return false;
    ucp_request_free(closing);
    return true;
  });
}

// Say good-bye, give the network what was sent, hear that it has arrived (a socket that is closed
// with something unread in it drops what is still on its way), and close everything. UCX's own
// orderly closing waits for the other side's progress without limit, and cannot be cut short.
void UcxMessenger::end(std::unique_lock<std::mutex>* lock, bool hurry) {
  const auto until = [this, lock](std::chrono::milliseconds limit, auto finished) {
    const auto deadline = Clock::now() + limit;
    while (!finished() && Clock::now() < deadline) {
      if (move()) continue;
      lock->unlock();  // the library's thread comes here before it goes on with other things
      std::this_thread::yield();
      lock->lock();
    }
  };
  protocol_.say_bye();
  const auto waits_for = [&](const Peer& peer) {
    if (peer.impaired) return false;
    return protocol_.pending(peer.rank) || (!hurry && protocol_.awaits_farewell(peer.rank));
  };
  until(kLeaveLimit, [&] {
    return !protocol_.has_work() && std::none_of(peers_.begin(), peers_.end(), waits_for);
  });
  for (Peer& peer : peers_) {
    if (peer.endpoint == nullptr || peer.failed || protocol_.pending(peer.rank)) continue;
    const ucp_request_param_t param{};
    const ucs_status_ptr_t flushing = ucp_ep_flush_nbx(peer.endpoint, &param);
    if (UCS_PTR_IS_PTR(flushing)) closing_.push_back(flushing);
  }
  until(kFlushLimit, [this] { return closing_.empty(); });
  for (Peer& peer : peers_) close(&peer);
  until(kFlushLimit, [this] { return closing_.empty(); });
}

}  // namespace goss::ucx
