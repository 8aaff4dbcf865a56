// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/membership.h"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace goss::engine {

namespace {

using Clock = std::chrono::steady_clock;

// A rank that has not heard of a death yet shrinks with a shorter list; it hears of it in time.
constexpr std::chrono::seconds kDifferencePatience{5};

std::string list_text(const std::vector<int>& ranks) {
  std::string text;
  for (int r : ranks) text += (text.empty() ? "" : ", ") + std::to_string(r);
  return text;
}

class Shrinking final : public Making {
 public:
  Shrinking(Communicator* parent, const std::vector<int>& excluded, const Settings& settings)
      : parent_(parent), settings_(settings), excluded_(excluded), text_(list_text(excluded)) {
    for (int r = 0; r < parent->nranks(); ++r) {
      if (!std::binary_search(excluded.begin(), excluded.end(), r)) members_.push_back(r);
    }
  }

  Result<bool> advance() override {
    Job& job = *parent_->parts().job;
    if (setup_ == nullptr) {
      // Every survivor counts the attempts with this list that it began, and all make the same.
      const std::string label =
          format("shrink %llu %s #%u", static_cast<unsigned long long>(parent_->parts().id),
                 text_.c_str(), parent_->shrinks[excluded_]);
      setup_ = setup_within(*parent_, members_, label, settings_.init_timeout);
      ++parent_->shrinks[excluded_];
      job.choose_shrink(parent_->parts().id, {setup_->topic(), text_});
    }
    if (abandoned_) {
      setup_.reset();  // which tells the other ranks
      return true;
    }
    Result<bool> ready = setup_->advance();
    if (!ready.ok()) return ready;
    if (!ready.value()) {
      if (parent_->aborting()) return fail(gossInvalidUsage, "the parent was aborted in a shrink");
      GOSS_TRY(check_difference());
      return false;
    }
    communicator_ = setup_->communicator(settings_);
    announce(*communicator_);
    return true;
  }

  void pollfds(std::vector<pollfd>*) override {}
  void abandon() override { abandoned_ = true; }

 private:
  Status check_difference() {
    const Communicator::Parts& parts = parent_->parts();
    std::vector<int> job_ranks;
    for (int r : members_) job_ranks.push_back(parts.job_ranks[static_cast<size_t>(r)]);
    const ShrinkBoard::Other other = parts.job->differing_shrink(parts.id, job_ranks);
    if (other.rank < 0) differing_since_.reset();
    if (other.rank < 0) return {};
    if (!differing_since_) differing_since_ = Clock::now();
    if (Clock::now() - *differing_since_ < kDifferencePatience) return {};
    const auto there = std::find(parts.job_ranks.begin(), parts.job_ranks.end(), other.rank);
    const int rank = static_cast<int>(there - parts.job_ranks.begin());
    return fail(gossInvalidUsage,
                "communicator '%s' is shrunk to different ranks: %s leaves out %s, %s leaves out "
                "%s. All that call gossCommShrink give the same list",
                settings_.name.c_str(), parent_->name_of(parent_->rank()).c_str(), text_.c_str(),
                parent_->name_of(rank).c_str(), other.text.c_str());
  }

  Communicator* parent_;
  Settings settings_;
  std::vector<int> excluded_;
  std::string text_;
  std::vector<int> members_;  // ranks of the parent
  bool abandoned_ = false;
  std::optional<Clock::time_point> differing_since_;
  std::unique_ptr<SegmentSetup> setup_;
};

class Growing final : public Making {
  static constexpr size_t kIdWords = sizeof(gossUniqueId) / sizeof(int64_t);

 public:
  Growing(Communicator* parent, int nranks, const std::optional<gossUniqueId>& id,
          const Settings& settings)
      : parent_(parent), exchange_(parent, "growing", own_entry(id)) {
    options_.rank = parent->rank();
    options_.nranks = nranks;
    options_.settings = settings;
  }

  Result<bool> advance() override {
    if (joining_ == nullptr) {
      GOSS_TRY_ASSIGN(const bool exchanged, exchange_.advance());
      if (!exchanged) return false;
      GOSS_TRY(begin_join());
    }
    if (abandoned_) {
      joining_.reset();  // its links end, which tells the other ranks
      return true;
    }
    GOSS_TRY_ASSIGN(const bool made, joining_->advance());
    if (made) {
      communicator_ = joining_->take();
      return true;
    }
    if (parent_->aborting()) return fail(gossInvalidUsage, "the parent was aborted in a grow");
    GOSS_TRY(parent_->faults().any() ? parent_->faults().status() : Status());
    return false;
  }

  void pollfds(std::vector<pollfd>* fds) override {
    if (joining_ != nullptr) joining_->pollfds(fds);
  }
  void abandon() override { abandoned_ = true; }

 private:
  // The id, and that there is one.
  static std::vector<int64_t> own_entry(const std::optional<gossUniqueId>& id) {
    std::vector<int64_t> table(kIdWords + 1, 0);
    if (!id) return table;
    std::memcpy(table.data(), &*id, sizeof(*id));
    table[kIdWords] = 1;
    return table;
  }

  Status begin_join() {
    const std::vector<int64_t>& table = exchange_.table();
    if (table[kIdWords] != 1) {
      exchange_.settle();  // all ranks see the same
      return fail(
          gossInvalidUsage,
          "gossCommGrow of communicator '%s' : %lld of its ranks gave an id; give it on the "
          "one that has made it, and NULL on the others",
          parent_->settings().name.c_str(), static_cast<long long>(table[kIdWords]));
    }
    gossUniqueId bytes;
    std::memcpy(&bytes, table.data(), sizeof(bytes));
    GOSS_TRY_ASSIGN(options_.id, bootstrap::UniqueId::parse(bytes));
    GOSS_TRY_ASSIGN(joining_, make_join(options_));
    exchange_.settle();  // the bootstrap tells of what goes wrong from here on
    return {};
  }

  Communicator* parent_;
  JoinOptions options_;
  ParentExchange exchange_;
  bool abandoned_ = false;
  std::unique_ptr<Making> joining_;
};

}  // namespace

std::unique_ptr<Making> make_shrink(Communicator* parent, const std::vector<int>& excluded,
                                    const Settings& settings) {
  return std::make_unique<Shrinking>(parent, excluded, settings);
}

std::unique_ptr<Making> make_grow(Communicator* parent, int nranks,
                                  const std::optional<gossUniqueId>& id, const Settings& settings) {
  return std::make_unique<Growing>(parent, nranks, id, settings);
}

}  // namespace goss::engine
