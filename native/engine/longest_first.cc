#include "engine/longest_first.h"

#include <algorithm>

namespace eyrie {

namespace {

/// Evenly spread, and the same in every run.
uint32_t priority_of(uint64_t arrival) {
  arrival = (arrival ^ (arrival >> 30)) * 0xbf58476d1ce4e5b9;
  arrival = (arrival ^ (arrival >> 27)) * 0x94d049bb133111eb;
  return static_cast<uint32_t>(arrival >> 32);
}

}  // namespace

LongestFirst::Rank LongestFirst::own_rank(const Node& node, Rank Node::* order) {
  const uint64_t output = order == &Node::longest_total ? node.place.max_tokens : 0;
  return {node.prompt_tokens + output, node.place.arrival};
}

void LongestFirst::take_in(Node& node, const Rank& longest_prompt, const Rank& longest_total) {
  node.longest_prompt = std::max(node.longest_prompt, longest_prompt);
  node.longest_total = std::max(node.longest_total, longest_total);
}

void LongestFirst::pull(uint32_t index) {
  Node& node = nodes_[index];
  node.longest_prompt = own_rank(node, &Node::longest_prompt);
  node.longest_total = own_rank(node, &Node::longest_total);
  for (const uint32_t child : {node.left, node.right}) take_in(node, nodes_[child].longest_prompt, nodes_[child].longest_total);
}

void LongestFirst::insert(const Item& item) {
  uint32_t index = static_cast<uint32_t>(nodes_.size());
  if (unused_.empty()) {
    nodes_.emplace_back();
  } else {
    index = unused_.back();
    unused_.pop_back();
  }
  Node& node = nodes_[index];
  node = {};
  node.place = {item.scope, item.max_tokens, item.arrival};
  node.prompt_tokens = item.prompt_tokens;
  node.priority = priority_of(item.arrival);
  pull(index);
  uint32_t* link = &root_;
  while (*link != kNil && nodes_[*link].priority >= node.priority) {
    Node& above = nodes_[*link];
    take_in(above, node.longest_prompt, node.longest_total);
    link = node.place < above.place ? &above.left : &above.right;
  }
  split(*link, node.place, node.left, node.right);
  *link = index;
  pull(index);
}

void LongestFirst::erase(const Item& item) { erase_below(root_, {item.scope, item.max_tokens, item.arrival}); }

void LongestFirst::erase_below(uint32_t& root, const Place& place) {
  if (root == kNil) return;
  Node& node = nodes_[root];
  if (node.place == place) {
    unused_.push_back(root);
    root = merge(node.left, node.right);
    return;
  }
  erase_below(place < node.place ? node.left : node.right, place);
  pull(root);
}

void LongestFirst::split(uint32_t root, const Place& place, uint32_t& before, uint32_t& after) {
  if (root == kNil) {
    before = after = kNil;
    return;
  }
  Node& node = nodes_[root];
  if (node.place < place) {
    split(node.right, place, node.right, after);
    before = root;
  } else {
    split(node.left, place, before, node.left);
    after = root;
  }
  pull(root);
}

uint32_t LongestFirst::merge(uint32_t before, uint32_t after) {
  if (before == kNil) return after;
  if (after == kNil) return before;
  if (nodes_[before].priority > nodes_[after].priority) {
    nodes_[before].right = merge(nodes_[before].right, after);
    pull(before);
    return before;
  }
  nodes_[after].left = merge(before, nodes_[after].left);
  pull(after);
  return after;
}

/// The best of the places from `first` to `last`, both included.
LongestFirst::Rank LongestFirst::best(const Place& first, const Place& last, Rank Node::* order) const {
  uint32_t top = root_;
  while (top != kNil && (nodes_[top].place < first || last < nodes_[top].place)) {
    top = nodes_[top].place < first ? nodes_[top].right : nodes_[top].left;
  }
  if (top == kNil) return {};
  Rank best = own_rank(nodes_[top], order);
  for (uint32_t index = nodes_[top].left; index != kNil;) {
    const Node& node = nodes_[index];
    if (node.place < first) {
      index = node.right;
      continue;
    }
    best = std::max({best, own_rank(node, order), nodes_[node.right].*order});
    index = node.left;
  }
  for (uint32_t index = nodes_[top].right; index != kNil;) {
    const Node& node = nodes_[index];
    if (last < node.place) {
      index = node.left;
      continue;
    }
    best = std::max({best, own_rank(node, order), nodes_[node.left].*order});
    index = node.right;
  }
  return best;
}

uint64_t LongestFirst::longest(const Scope& scope, uint32_t output_limit) const {
  const Rank within = best({scope, 0, 0}, {scope, output_limit, kNone}, &Node::longest_total);
  if (output_limit == UINT32_MAX) return within.arrival;
  Rank beyond = best({scope, output_limit + 1, 0}, {scope, UINT32_MAX, kNone}, &Node::longest_prompt);
  if (beyond.arrival == kNone) return within.arrival;
  beyond.tokens += output_limit;
  return std::max(within, beyond).arrival;
}

}  // namespace eyrie
