// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/group.h"

#include <algorithm>
#include <exception>

#include "engine/calls.h"
#include "engine/group_content.h"
#include "engine/message_program.h"
#include "engine/reactor.h"

namespace goss::engine {

namespace {

// Larger operations gain nothing from moving together.
constexpr size_t kAggregateBytes = kMostAggregated;

struct Group {
  GroupRun run{};  // of the last item, while open_run points to it
  int depth = 0;
  uint64_t number = 0;      // of the outermost groups of this thread
  unsigned generation = 0;  // of forks, when it was opened
  Status failure;
  bool lost = false;  // see group_lost()
  GroupContent content;
};

thread_local Group this_thread;
// While a group is open. Apart from it for the same reason as open_run.
[[gnu::tls_model("initial-exec")]] thread_local constinit Group* open_group = nullptr;

// The rule is a function of the calls alone, so that all ranks aggregate alike.
bool worth_aggregating(const Operation& operation) {
  const bool moves_vectors = operation.kind == collectives::Kind::kAllReduce ||
                             operation.kind == collectives::Kind::kBroadcast;
  return moves_vectors && operation.count != 0 && operation.bytes() <= kAggregateBytes &&
         !operation.scale.used;
}

// Such calls do not move with others: their blocks would be other ones.
bool may_be_compressed(const gossComm& handle, const Operation& operation) {
  if (operation.options != nullptr) return true;
  if (handle.settings.codecs.empty()) return false;
  const Result<CompressionChoice> choice =
      choose_compression(operation, handle.nranks, handle.settings.codecs);
  return !choice.ok() || choice.value().use.has_value();
}

}  // namespace

[[gnu::tls_model("initial-exec")]] thread_local constinit GroupRun* open_run = nullptr;

bool in_group() { return open_group != nullptr; }

void group_start() {
  open_group = &this_thread;
  if (++open_group->depth > 1) return;
  ++open_group->number;
  open_group->generation = Reactor::generation();
}

uint64_t group_number() { return this_thread.number; }

void group_failed(const Status& status) {
  if (in_group() && open_group->failure.ok()) open_group->failure = status;
}

void group_lost() {
  if (in_group()) open_group->lost = true;
}

bool group_append(std::vector<Extent>* extents, const Extent& extent) noexcept {
  try {
    extents->push_back(extent);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

namespace {

// The last item gets what was counted for it.
void end_run(Group* group) {
  if (std::exchange(open_run, nullptr) == nullptr) return;
  Operation& operation = group->content.items.back().operation;
  operation.count = group->run.count;
  operation.calls = group->run.calls;
  operation.counts = group->run.counts;
}

// Calls like the last item, which has just been added, may follow.
void begin_run(Group* group) {
  const Item& item = group->content.items.back();
  const Operation& operation = item.operation;
  const Extent& extent = group->content.extents.back();
  const size_t element = type_size(operation.type);
  group->run = {item.handle,
                item.stream,
                item.movement,
                element,
                kAggregateBytes / element,
                operation.count,
                operation.calls,
                operation.counts,
                extent.input + extent.count * element,
                extent.output + extent.count * element,
                &group->content.extents};
  open_run = &group->run;
}

}  // namespace

void group_add(gossComm* handle, const Operation& operation, gossStream* stream, bool last) {
  const auto same = [&](const HandlePin& pin) { return pin.get() == handle; };
  Group& group = *open_group;
  end_run(&group);
  if (std::none_of(group.content.pins.begin(), group.content.pins.end(), same))
    group.content.pins.emplace_back(handle);
  if (operation.transfers != nullptr) {
    for (size_t i = 0; i < operation.ntransfers; ++i) {
      group.content.transfers.push_back({handle, stream, operation.transfers[i]});
    }
    return;
  }
  group.content.items.push_back(
      {handle, operation, stream, movement_of(operation),
       worth_aggregating(operation) && !may_be_compressed(*handle, operation), last,
       group.content.extents.size(), copy_blocks(*handle, operation), copy_options(operation)});
  Item& item = group.content.items.back();
  item.operation.counts.add(operation.count);
  item.operation.options = item.options.get();
  if (!item.blocks.empty()) {  // the caller's arrays may be gone when the group ends
    item.operation.block_counts = item.blocks.data();
    item.operation.block_places = item.blocks.data() + item.blocks.size() / 2;
  }
  group.content.extents.push_back(operation.buffer);
  // Rules go by size, so every call is looked at where there are some.
  if (item.small && handle->settings.codecs.empty()) begin_run(&group);
}

void group_add_making(gossComm* handle, std::unique_ptr<Making> making, gossComm* parent,
                      gossComm** out) {
  open_group->content.makings.push_back({HandlePin(handle), std::move(making), std::nullopt, out});
  if (parent != nullptr) open_group->content.makings.back().parent.emplace(parent);
}

namespace {

// Nothing has been run, or no more will be.
void give_up(const GroupContent& content, const Status& failure, bool lost) {
  reopen(content.items);
  for (const PendingMaking& making : content.makings) {
    if (!making.done) making.handle->set_failure(failure);
  }
  for (const HandlePin& pin : content.pins) {
    if (lost) lose(pin.get(), failure);
  }
}

}  // namespace

Status group_end() {
  if (open_group == nullptr) return fail(gossInvalidUsage, "gossGroupEnd: not in a group call");
  Group& group = *open_group;
  if (--group.depth > 0) return {};
  end_run(&group);
  open_group = nullptr;
  GroupContent content = std::exchange(group.content, GroupContent());
  Status failure = std::exchange(group.failure, Status());
  const bool lost = std::exchange(group.lost, false);
  if (group.generation != Reactor::generation()) {
    // To end what the parent is making would speak to its peers. It is left behind.
    new GroupContent(std::move(content));
    return fail(gossInvalidUsage, "refused: the group was opened by the parent of this process");
  }
  if (!failure.ok()) {
    give_up(content, failure, lost);
    return failure;
  }
  Status status;
  try {
    status = run_group(&content);
  } catch (const std::exception& e) {
    status = fail(gossSystemError, "%s", e.what());
    give_up(content, status, true);
  }
  content.clear();
  group.content = std::move(content);  // keep the memory for the next group
  return status;
}

Status group_simulate_end(double* microseconds) {
  if (open_group == nullptr) return fail(gossInvalidUsage, "gossGroupSimulateEnd: not in a group");
  *microseconds = 0;
  Group& group = *open_group;
  if (group.depth == 1) {
    end_run(&group);
    for (const Item& item : group.content.items) {
      *microseconds += estimated_us(item.operation, item.handle->nranks);
    }
    for (const PendingTransfer& pending : group.content.transfers) {
      *microseconds += estimated_us(pending.transfer);
    }
    const Status forgotten =
        fail(gossInvalidUsage,
             "gossGroupSimulateEnd: communicators cannot be made, or finalized, "
             "by a simulated group");
    const std::vector<Item>& items = group.content.items;
    const bool finalizes =
        std::any_of(items.begin(), items.end(), [](const Item& item) { return item.last; });
    if (!group.content.makings.empty() || finalizes) {
      group_failed(forgotten);
    } else if (group.failure.ok()) {
      group.content.clear();
    }
  }
  return group_end();
}

}  // namespace goss::engine
