// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// One rank's side of the start-up: to the root, to its neighbours, then all-gathers with them. The
// root is the judge of failures until all are connected; afterwards failures are flooded.
#include <algorithm>

#include "base/host.h"
#include "base/log.h"
#include "transport/bootstrap/allgather.h"
#include "transport/bootstrap/bootstrap.h"
#include "transport/bootstrap/dialer.h"
#include "transport/bootstrap/gate.h"
#include "transport/bootstrap/interface.h"
#include "transport/bootstrap/mesh_impl.h"

namespace goss::bootstrap {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRefusedTooLong{500};  // nobody listens where the root did
// Deaths at about the same time are noticed in different order on different ranks: all wait this
// long for more of them and then name the lowest rank.
constexpr milliseconds kAgree{100};
constexpr int kRejectionsBeforeWarning = 8;
// A root that runs judges within milliseconds; one that is stopped does not hold a rank for longer.
constexpr milliseconds kVerdict{500};

class Starter final : public Bootstrap {
 public:
  Starter(Options options, const ProcessToken& process);
  ~Starter() override;

  Result<bool> connect() override;
  Result<bool> allgather(const std::string& mine, std::vector<std::string>* all) override;
  void pollfds(std::vector<pollfd>* fds) const override;
  std::unique_ptr<Mesh> take_mesh() override;
  Secret session_key() const override { return session_key_; }

 private:
  enum class Stage { kDialing, kWaiting, kLinking, kReported, kJudged, kReady, kFailed };
  struct Neighbour {
    Table::Contact contact;
    // Towards higher ranks; lower ones come to us.
    std::unique_ptr<Dialer> dialer;
    std::unique_ptr<Channel> unconfirmed;  // dialled, not yet acknowledged
  };

  Hello hello_for(Purpose purpose, uint32_t peer) const;
  void derive_session_key(const Secret& salt);
  void dial_root();
  void join(std::unique_ptr<Channel> channel);
  void read_root();
  void handle_root(const Frame& frame);
  void root_ended(const std::string& why);
  void begin_links(const Table& table);
  void advance_links();
  void advance_link(Neighbour* neighbour);
  void admit(Arrival arrival);
  bool out_of_time() const;
  void check_time();
  std::string what_is_missing() const;
  void give_up(const Failure& failure);
  void fail_start(const Failure& failure);

  void advance_gather();
  void note_losses(std::vector<Mesh::Event> events);
  std::string name(int rank) const;
  std::string limit_text() const {
    return format("%.1f s", double(options_.timeout.count()) / 1e3);
  }

  Options options_;
  const ProcessToken process_;
  Clock::time_point now_ = Clock::now();
  const Clock::time_point began_ = now_;  // the limit counts from here to the last all-gather
  Stage stage_ = Stage::kDialing;
  Status status_;  // why kFailed
  Secret session_key_{};
  Dialer root_dialer_;
  bool warned_ = false;
  std::unique_ptr<Channel> root_;
  bool acknowledged_ = false;  // the root has answered our join
  Waiting waiting_;
  Failure given_up_;  // kJudged: what the root has been told
  Clock::time_point given_up_at_{};
  std::unique_ptr<Gate> gate_;
  std::vector<Neighbour> neighbours_;
  std::unique_ptr<MeshLinks> mesh_;
  Gather gather_;
  std::vector<Mesh::Event> events_;  // for the Mesh
  bool lost_any_ = false;
  Clock::time_point first_loss_{};
};

Address root_address(const UniqueId& id) {
  Address address;
  address.storage = id.address;
  address.bytes = id.address_bytes;
  return address;
}

Starter::Starter(Options options, const ProcessToken& process)
    : options_(std::move(options)),
      process_(process),
      root_dialer_(root_address(options_.id), options_.id.secret,
                   hello_for(Purpose::kRoot, kRootPeer)),
      mesh_(std::make_unique<MeshLinks>(options_.rank, options_.nranks, options_.heartbeat)),
      gather_(options_.rank, options_.nranks) {
  derive_session_key(Secret{});
  if (options_.nranks == 1) stage_ = Stage::kReady;
}

Starter::~Starter() = default;

Hello Starter::hello_for(Purpose purpose, uint32_t peer) const {
  Hello hello;
  hello.purpose = purpose;
  hello.rank = static_cast<uint32_t>(options_.rank);
  hello.nranks = static_cast<uint32_t>(options_.nranks);
  hello.peer = peer;
  hello.job = options_.id.job;
  return hello;
}

void Starter::derive_session_key(const Secret& salt) {
  session_key_ = hmac_sha256(view(options_.id.secret),
                             {"gossamer session", view(options_.id.job), view(salt)});
}

Result<bool> Starter::connect() {
  now_ = Clock::now();
  if (stage_ == Stage::kDialing) dial_root();
  if (root_ != nullptr) read_root();
  if (stage_ == Stage::kLinking) advance_links();
  if (root_ != nullptr) root_->flush();
  check_time();
  if (stage_ == Stage::kFailed) return status_;
  return stage_ == Stage::kReady;
}

void Starter::dial_root() {
  std::unique_ptr<Channel> channel = root_dialer_.advance(now_);
  if (channel != nullptr) return join(std::move(channel));
  const auto refused = root_dialer_.refused_since();
  if (options_.id.root_listens && refused && now_ - *refused > kRefusedTooLong) {
    return fail_start({-1, gossRemoteError,
                       format("nobody listens at %s any more: the process that made the unique id "
                              "has ended, or its start-up was over",
                              root_dialer_.target().text().c_str())});
  }
  if (root_dialer_.rejected_proofs() < kRejectionsBeforeWarning || warned_) return;
  warned_ = true;
  log(LogLevel::kWarn, "rank %d: %s has refused this rank's secret %d times; trying on",
      options_.rank, root_dialer_.target().text().c_str(), root_dialer_.rejected_proofs());
}

void Starter::join(std::unique_ptr<Channel> channel) {
  root_ = std::move(channel);
  acknowledged_ = false;
  options_.id.root_listens = true;  // it just did
  stage_ = Stage::kWaiting;
  set_liveness(root_->socket(), options_.silence);
  Join join;
  join.process = process_;
  join.host = host_name();
  join.hello = options_.hello;
  join.hello_text = options_.hello_text;
  Result<Address> address = local_address(root_->socket());
  if (address.ok()) address = mesh_address(address.value());
  Result<Socket> listener = address.ok() ? listen_at(address.value()) : address.take_status();
  if (listener.ok()) address = local_address(listener.value());
  if (!listener.ok() || !address.ok()) {
    const Status status = listener.ok() ? address.take_status() : listener.take_status();
    return give_up({options_.rank, status.code(), status.message()});
  }
  join.mesh = address.value();
  // Who may come is known, and can prove it, only with the table: until then they queue.
  gate_ = std::make_unique<Gate>(listener.take(), session_key_, hello_for(Purpose::kLink, 0));
  root_->queue(FrameType::kJoin, join.encode());
}

void Starter::read_root() {
  std::vector<Frame> frames;
  const bool open = root_->receive(&frames);
  const std::string ending = root_->ending();
  for (const Frame& frame : frames) {
    if (stage_ == Stage::kFailed || stage_ == Stage::kReady) break;
    handle_root(frame);
  }
  acknowledged_ = acknowledged_ || !frames.empty();
  if (!open && stage_ == Stage::kWaiting && !acknowledged_) {
    // It gave up on us before it had read our join, as when this process was stopped meanwhile.
    root_.reset();
    gate_.reset();
    root_dialer_.retry(now_, ending);
    stage_ = Stage::kDialing;
  }
  if (!open && root_ != nullptr && stage_ != Stage::kFailed && stage_ != Stage::kReady) {
    root_ended(ending);
  }
  if (stage_ == Stage::kReady) root_.reset();
}

void Starter::handle_root(const Frame& frame) {
  if (frame.type == FrameType::kWaiting) {
    if (std::optional<Waiting> waiting = Waiting::decode(frame.payload)) waiting_ = *waiting;
  } else if (frame.type == FrameType::kTable && stage_ == Stage::kWaiting) {
    const std::optional<Table> table = Table::decode(frame.payload);
    if (table) begin_links(*table);
  } else if (frame.type == FrameType::kComplete && stage_ == Stage::kReported) {
    stage_ = Stage::kReady;
  } else if (frame.type == FrameType::kFailed) {
    // The root knows best who is missing; any other reason of our own we know best.
    const bool own = stage_ == Stage::kJudged && given_up_.code != gossTimeout;
    const std::optional<Failure> failure = Failure::decode(frame.payload);
    const Failure unknown{-1, gossRemoteError, "the start-up has failed"};
    fail_start(own ? given_up_ : failure.value_or(unknown));
  }
}

void Starter::root_ended(const std::string& why) {
  root_.reset();
  if (stage_ == Stage::kJudged && given_up_.code != gossTimeout) return fail_start(given_up_);
  const int culprit = waiting_.root_rank;
  if (culprit >= 0 && culprit != options_.rank) {
    return fail_start(
        {culprit, gossRemoteError,
         format("%s died during start-up; it gathered the ranks at %s (%s)", name(culprit).c_str(),
                root_dialer_.target().text().c_str(), why.c_str())});
  }
  fail_start({-1, gossRemoteError,
              format("the process that gathered the ranks at %s ended before all were connected "
                     "(%s)",
                     root_dialer_.target().text().c_str(), why.c_str())});
}

void Starter::begin_links(const Table& table) {
  derive_session_key(table.salt);
  waiting_.root_rank = table.root_rank;
  std::vector<int> ranks;
  for (const Table::Contact& contact : table.contacts) ranks.push_back(contact.rank);
  if (ranks != neighbours_of(options_.rank, options_.nranks)) {
    return give_up({options_.rank, gossInternalError,
                    "the root sent the addresses of ranks that are not this one's neighbours"});
  }
  gate_->expect(session_key_, hello_for(Purpose::kLink, static_cast<uint32_t>(options_.rank)));
  gate_->set_limit(64 + table.contacts.size());
  for (const Table::Contact& contact : table.contacts) {
    std::unique_ptr<Dialer> dialer;
    if (contact.rank > options_.rank) {
      dialer =
          std::make_unique<Dialer>(contact.mesh, session_key_,
                                   hello_for(Purpose::kLink, static_cast<uint32_t>(contact.rank)));
    }
    neighbours_.push_back({contact, std::move(dialer), nullptr});
  }
  stage_ = Stage::kLinking;
}

void Starter::advance_links() {
  std::vector<Arrival> arrivals;
  gate_->poll(now_, &arrivals);
  for (Arrival& arrival : arrivals) admit(std::move(arrival));
  for (Neighbour& neighbour : neighbours_) advance_link(&neighbour);
  if (mesh_->link_count() < neighbours_.size()) return;
  gate_.reset();
  root_->queue(FrameType::kConnected, "");
  stage_ = Stage::kReported;
}

// Both sides say that the link is up, so an attempt that one of them gave up leaves no half link.
void Starter::advance_link(Neighbour* neighbour) {
  if (neighbour->dialer == nullptr) return;
  if (neighbour->unconfirmed == nullptr) {
    neighbour->unconfirmed = neighbour->dialer->advance(now_);
    if (neighbour->unconfirmed == nullptr) return;
    set_liveness(neighbour->unconfirmed->socket(), options_.silence);
    neighbour->unconfirmed->queue(FrameType::kLinkUp, "");
  }
  std::vector<Frame> frames;
  neighbour->unconfirmed->flush();
  const bool open = neighbour->unconfirmed->receive(&frames);
  if (!frames.empty() && frames[0].type == FrameType::kLinkUp) {
    frames.erase(frames.begin());
    mesh_->add_link(neighbour->contact.rank, std::move(neighbour->unconfirmed), frames);
    neighbour->dialer.reset();
  } else if (!open) {
    neighbour->dialer->retry(now_, neighbour->unconfirmed->ending());
    neighbour->unconfirmed.reset();
  }
}

void Starter::admit(Arrival arrival) {
  const int peer = static_cast<int>(arrival.hello.rank);
  const bool expected = peer < options_.rank &&
                        arrival.hello.nranks == static_cast<uint32_t>(options_.nranks) &&
                        std::any_of(neighbours_.begin(), neighbours_.end(),
                                    [peer](const Neighbour& n) { return n.contact.rank == peer; });
  if (!expected || mesh_->has_link(peer) || arrival.frames.empty()) return;
  if (arrival.frames[0].type != FrameType::kLinkUp) return;
  set_liveness(arrival.channel->socket(), options_.silence);
  arrival.frames.erase(arrival.frames.begin());
  arrival.channel->queue(FrameType::kLinkUp, "");
  arrival.channel->flush();
  mesh_->add_link(peer, std::move(arrival.channel), arrival.frames);
}

bool Starter::out_of_time() const {
  return options_.timeout.count() != 0 && now_ - began_ >= options_.timeout;
}

void Starter::check_time() {
  if (stage_ == Stage::kReady || stage_ == Stage::kFailed) return;
  if (stage_ == Stage::kJudged) {
    if (now_ - given_up_at_ >= kVerdict) fail_start(given_up_);
    return;
  }
  if (!out_of_time()) return;
  give_up({-1, gossTimeout,
           "after " + limit_text() + " " + what_is_missing() +
               "; raise GOSS_INIT_TIMEOUT if they need longer to start"});
}

std::string Starter::what_is_missing() const {
  if (stage_ == Stage::kDialing) {
    return format(
        "no connection to the root at %s: %s; rank 0 may not run, serve another job, or GOSS_ADDR, "
        "GOSS_PORT, GOSS_NRANKS, GOSS_IFNAME or the secret be wrong",
        root_dialer_.target().text().c_str(), root_dialer_.problem().c_str());
  }
  if (stage_ != Stage::kLinking) {
    // Only read when the root says nothing in time: who has come since, nobody else knows.
    return format("no answer from the root at %s, which last waited for %s",
                  root_dialer_.target().text().c_str(), waiting_.missing.c_str());
  }
  std::string text;
  for (const Neighbour& neighbour : neighbours_) {
    if (mesh_->has_link(neighbour.contact.rank)) continue;
    if (!text.empty()) text += ", ";
    if (neighbour.dialer == nullptr) {
      text += "no connection from " + name(neighbour.contact.rank);
    } else {
      text += format("no connection to %s at %s: %s", name(neighbour.contact.rank).c_str(),
                     neighbour.contact.mesh.text().c_str(), neighbour.dialer->problem().c_str());
    }
  }
  return text;
}

// Tells the root why this rank cannot go on, and waits for what it makes of that: it knows who is
// missing. When its own process holds the root, the others have been told by then.
void Starter::give_up(const Failure& failure) {
  if (root_ == nullptr) return fail_start(failure);
  given_up_ = failure;
  given_up_at_ = now_;
  stage_ = Stage::kJudged;
  root_->queue(FrameType::kGiveUp, failure.encode());
}

// The first failure counts; those who wait with us hear of it before our connections end.
void Starter::fail_start(const Failure& failure) {
  if (stage_ == Stage::kFailed) return;
  const bool told = stage_ == Stage::kJudged;
  stage_ = Stage::kFailed;
  status_ = fail(failure.code, "start-up of rank %d of %d: %s", options_.rank, options_.nranks,
                 failure.reason.c_str());
  if (root_ != nullptr) {
    if (!told) root_->queue(FrameType::kGiveUp, failure.encode());
    root_->flush();
    root_.reset();
  }
  mesh_->flood_failure(failure);
  mesh_ = std::make_unique<MeshLinks>(options_.rank, options_.nranks, options_.heartbeat);
  gate_.reset();
  neighbours_.clear();
}

std::string Starter::name(int rank) const {
  for (const Neighbour& neighbour : neighbours_) {
    if (neighbour.contact.rank != rank) continue;
    return format("rank %d on %s", rank, neighbour.contact.host.c_str());
  }
  return format("rank %d", rank);
}

Result<bool> Starter::allgather(const std::string& mine, std::vector<std::string>* all) {
  if (stage_ == Stage::kFailed) return status_;
  GOSS_ASSERT(stage_ == Stage::kReady && mesh_ != nullptr, "all-gather before connect was true");
  if (mine.size() > kMaxBlockBytes) {
    return fail(gossInternalError, "an all-gather block of %zu bytes; at most %zu are possible",
                mine.size(), kMaxBlockBytes);
  }
  now_ = Clock::now();
  if (!gather_.running()) gather_.start(mine);
  advance_gather();
  if (stage_ == Stage::kFailed) return status_;
  if (!gather_.complete() || !mesh_->flushed()) return false;
  *all = gather_.finish();
  return true;
}

void Starter::advance_gather() {
  std::vector<Mesh::Event> events;
  mesh_->poll(now_, &events);
  for (const std::string& payload : mesh_->take_blocks()) {
    if (gather_.accept(payload)) continue;
    return fail_start(
        {options_.rank, gossInternalError,
         format("rank %d was sent all-gather data that makes no sense", options_.rank)});
  }
  while (const std::optional<Gather::Send> send = gather_.next_send()) {
    for (const std::string& payload : send->payloads) mesh_->send_blocks(send->peer, payload);
  }
  note_losses(std::move(events));
  // With all data here a death no longer matters to this gather; the Mesh will tell of it.
  if (gather_.complete()) return;
  if (!mesh_->failures().empty() && !lost_any_) {
    lost_any_ = true;
    first_loss_ = now_;
  }
  if (lost_any_ && now_ - first_loss_ >= kAgree) {
    const auto& failures = mesh_->failures();
    return fail_start(
        *std::min_element(failures.begin(), failures.end(),
                          [](const Failure& a, const Failure& b) { return a.rank < b.rank; }));
  }
  if (!out_of_time()) return;
  fail_start({gather_.missing().front(), gossTimeout,
              "after " + limit_text() + " still no data of " + rank_list(gather_.missing())});
}

// Keeps the events for the Mesh and tells the others of links that have ended.
void Starter::note_losses(std::vector<Mesh::Event> events) {
  for (Mesh::Event& event : events) events_.push_back(std::move(event));
  if (gather_.complete()) return;
  for (const Mesh::Event& event : events_) {
    if (event.kind != Mesh::Event::Kind::kLost || mesh_->told_failure(event.rank)) continue;
    mesh_->flood_failure(
        {event.rank, gossRemoteError,
         format("%s died during start-up (%s)", name(event.rank).c_str(), event.payload.c_str())});
  }
}

void Starter::pollfds(std::vector<pollfd>* fds) const {
  if (stage_ == Stage::kFailed) return;
  if (stage_ == Stage::kDialing) root_dialer_.pollfds(fds);
  if (root_ != nullptr) fds->push_back({root_->socket().get(), root_->poll_mask(), 0});
  if (stage_ == Stage::kLinking) {
    gate_->pollfds(fds);
    for (const Neighbour& neighbour : neighbours_) {
      if (neighbour.dialer == nullptr) continue;
      neighbour.dialer->pollfds(fds);
      const Channel* channel = neighbour.unconfirmed.get();
      if (channel != nullptr) fds->push_back({channel->socket().get(), channel->poll_mask(), 0});
    }
  }
  if (stage_ == Stage::kReady && mesh_ != nullptr) mesh_->pollfds(fds);
}

std::unique_ptr<Mesh> Starter::take_mesh() {
  GOSS_ASSERT(stage_ == Stage::kReady && mesh_ != nullptr,
              "the mesh is taken once, when connected");
  mesh_->keep(std::move(events_));
  return std::move(mesh_);
}

}  // namespace

Result<std::unique_ptr<Bootstrap>> Bootstrap::create(Options options) {
  if (options.nranks < 1 || options.nranks > kMaxRanks || options.rank < 0 ||
      options.rank >= options.nranks) {
    return fail(gossInvalidArgument,
                "rank %d of %d ranks: ranks run from 0 to nranks-1, at most %d", options.rank,
                options.nranks, kMaxRanks);
  }
  if (options.hello.size() > kMaxHelloTextBytes || options.hello_text.size() > kMaxHelloTextBytes) {
    return fail(gossInternalError, "the hello of a rank is longer than %zu bytes",
                kMaxHelloTextBytes);
  }
  GOSS_TRY(check_crypto());
  GOSS_TRY_ASSIGN(const ProcessToken process, process_token());
  return std::unique_ptr<Bootstrap>(std::make_unique<Starter>(std::move(options), process));
}

}  // namespace goss::bootstrap
