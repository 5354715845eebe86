#pragma once
// Requests in an order that finds the longest expected one of a scope at once, whatever is expected of outputs at that moment.
//
// Expected length = prompt + min(max_tokens, limit), where the limit moves with every sequence that ends. So no order by length
// lasts. The requests are kept in order of max_tokens instead: those up to the limit compete by prompt + max_tokens, those above it
// by prompt alone, and both orders are fixed. The tree keeps the best of each subtree in either order, so that an answer is the
// better one of two ranges of it. A treap: balanced by random priorities, whatever the order of arrivals.

#include <compare>
#include <cstdint>
#include <vector>

namespace eyrie {

class LongestFirst {
 public:
  static constexpr uint64_t kNone = UINT64_MAX;

  /// What is asked for together. Requests of different scopes do not meet.
  struct Scope {
    uint64_t prefix_hash = 0;
    uint32_t group = 0;
    auto operator<=>(const Scope&) const = default;
  };

  struct Item {
    Scope scope;
    uint32_t max_tokens = 0;
    uint32_t prompt_tokens = 0;
    /// Unique, in order of arrival, below kNone.
    uint64_t arrival = 0;
  };

  void insert(const Item& item);
  /// The very item that was inserted.
  void erase(const Item& item);
  /// Arrival of the longest expected request of the scope, the earliest among equals; kNone: there is none.
  uint64_t longest(const Scope& scope, uint32_t output_limit) const;

 private:
  static constexpr uint32_t kNil = 0;

  struct Place {
    Scope scope;
    uint32_t max_tokens = 0;
    uint64_t arrival = 0;
    auto operator<=>(const Place&) const = default;
  };

  struct Rank {
    uint64_t tokens = 0;
    uint64_t arrival = kNone;
    bool operator<(const Rank& other) const { return tokens != other.tokens ? tokens < other.tokens : arrival > other.arrival; }
  };

  struct Node {
    Place place;
    uint32_t prompt_tokens = 0;
    uint32_t priority = 0;
    uint32_t left = kNil;
    uint32_t right = kNil;
    Rank longest_prompt;  ///< of the subtree
    Rank longest_total;   ///< of the subtree, prompt + max_tokens
  };

  static Rank own_rank(const Node& node, Rank Node::* order);
  static void take_in(Node& node, const Rank& longest_prompt, const Rank& longest_total);
  void pull(uint32_t node);
  void erase_below(uint32_t& root, const Place& place);
  void split(uint32_t root, const Place& place, uint32_t& before, uint32_t& after);
  uint32_t merge(uint32_t before, uint32_t after);
  Rank best(const Place& first, const Place& last, Rank Node::* order) const;

  std::vector<Node> nodes_{1};  // the first one stands for an empty tree
  std::vector<uint32_t> unused_;
  uint32_t root_ = kNil;
};

}  // namespace eyrie
