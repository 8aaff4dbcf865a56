// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// MatchTable: finds what belongs together by (peer, key), first come first served. Holds pointers
// to nodes that somebody else owns; Node has `peer`, `key` and `next_match`.
// One thread at a time. A hash table with chains; each chain keeps the order of insertion. Needs no
// memory: where there is none to grow, chains get longer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include "transport/messenger.h"

namespace goss::transport {

template <class Node>
class MatchTable {
 public:
  void insert(Node* node) noexcept {
    if (count_ >= chains_.size()) grow();
    append(node);
    ++count_;
  }

  // The oldest node with this peer and key, or null.
  Node* find(int peer, const MessageKey& key) const {
    Node* node = chains_[index(peer, key)].first;
    while (node != nullptr && (node->peer != peer || node->key != key)) node = node->next_match;
    return node;
  }

  // The same, removed.
  Node* take(int peer, const MessageKey& key) {
    Chain& chain = chains_[index(peer, key)];
    Node* before = nullptr;
    for (Node* node = chain.first; node != nullptr; before = node, node = node->next_match) {
      if (node->peer == peer && node->key == key) return unlink(&chain, before, node);
    }
    return nullptr;
  }

  // Remove and hand to `use` every node for which `wanted` holds, in no order. `use` may not
  // change the table.
  template <class Wanted, class Use>
  void take_if(Wanted wanted, Use use) {
    for (Chain& chain : chains_) {
      Node* before = nullptr;
      for (Node* node = chain.first; node != nullptr;) {
        Node* const next = node->next_match;
        if (wanted(*node)) {
          use(unlink(&chain, before, node));
        } else {
          before = node;
        }
        node = next;
      }
    }
  }

  // `node` is in the table.
  void remove(Node* node) {
    Chain& chain = chains_[index(node->peer, node->key)];
    Node* before = nullptr;
    for (Node* at = chain.first; at != node; at = at->next_match) before = at;
    unlink(&chain, before, node);
  }

  size_t size() const { return count_; }

 private:
  struct Chain {
    Node* first = nullptr;
    Node* last = nullptr;
  };

  size_t index(int peer, const MessageKey& key) const {
    uint64_t mixed = key.communicator ^ (key.number * 0x9e3779b97f4a7c15);  // Fibonacci hashing
    mixed ^= static_cast<uint64_t>(peer) * 0xc2b2ae3d27d4eb4f;              // a prime of xxHash
    mixed *= 0x9e3779b97f4a7c15;
    return (mixed >> 32) & (chains_.size() - 1);
  }

  void append(Node* node) {
    Chain& chain = chains_[index(node->peer, node->key)];
    node->next_match = nullptr;
    (chain.last == nullptr ? chain.first : chain.last->next_match) = node;
    chain.last = node;
  }

  Node* unlink(Chain* chain, Node* before, Node* node) {
    (before == nullptr ? chain->first : before->next_match) = node->next_match;
    if (chain->last == node) chain->last = before;
    --count_;
    return node;
  }

  void grow() noexcept {
    std::vector<Chain> old;
    try {
      old = std::vector<Chain>(2 * chains_.size());
    } catch (const std::bad_alloc&) {
      return;
    }
    old.swap(chains_);
    for (const Chain& chain : old) {
      for (Node* node = chain.first; node != nullptr;) {
        Node* const next = node->next_match;
        append(node);
        node = next;
      }
    }
  }

  std::vector<Chain> chains_{64};  // a power of two
  size_t count_ = 0;
};

}  // namespace goss::transport
