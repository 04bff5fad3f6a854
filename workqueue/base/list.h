// SPDX-License-Identifier: BSD-3-Clause
//
// list.h -- intrusive circular lists over uwq_list_head.
//
// A node that is on no list points to itself, so "is it linked?" is one compare
// and removal needs no head.  Nothing here allocates, locks or owns.
#ifndef UWQ_WORKQUEUE_BASE_LIST_H_
#define UWQ_WORKQUEUE_BASE_LIST_H_

#include <cstddef>
#include <cstdint>

#include "workqueue/base/abi_types.h"

namespace uwq::base {

using ListNode = ::uwq_list_head;

inline void ListInit(ListNode* n) { n->next = n->prev = n; }
inline bool ListEmpty(const ListNode* head) { return head->next == head; }
inline bool Linked(const ListNode* n) { return n->next != n; }

inline void InsertBetween(ListNode* n, ListNode* prev, ListNode* next) {
  n->prev = prev;
  n->next = next;
  prev->next = n;
  next->prev = n;
}
inline void InsertBefore(ListNode* n, ListNode* where) { InsertBetween(n, where->prev, where); }
inline void InsertAfter(ListNode* n, ListNode* where) { InsertBetween(n, where, where->next); }
inline void PushBack(ListNode* head, ListNode* n) { InsertBefore(n, head); }
inline void PushFront(ListNode* head, ListNode* n) { InsertAfter(n, head); }

// Unlinks `n` and leaves it pointing to itself.
inline void Unlink(ListNode* n) {
  n->prev->next = n->next;
  n->next->prev = n->prev;
  ListInit(n);
}

// Moves all of `from` to the back of `to`; `from` is empty afterwards.
inline void SpliceBack(ListNode* to, ListNode* from) {
  if (ListEmpty(from)) return;
  ListNode* first = from->next;
  ListNode* last = from->prev;
  first->prev = to->prev;
  to->prev->next = first;
  last->next = to;
  to->prev = last;
  ListInit(from);
}

// The object of type T whose member `Member` is `n`.
template <typename T, ListNode T::*Member>
T* EntryOf(ListNode* n) {
  const auto offset = reinterpret_cast<uintptr_t>(&(static_cast<T*>(nullptr)->*Member));
  return reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(n) - offset);
}

// A list head that knows the type of its entries.
template <typename T, ListNode T::*Member>
class List {
 public:
  List() { ListInit(&head_); }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  bool empty() const { return ListEmpty(&head_); }
  T* front() { return empty() ? nullptr : EntryOf<T, Member>(head_.next); }
  T* back() { return empty() ? nullptr : EntryOf<T, Member>(head_.prev); }
  void push_front(T* t) { PushFront(&head_, &(t->*Member)); }
  void push_back(T* t) { PushBack(&head_, &(t->*Member)); }
  // The entry behind `t`, or null at the end.
  T* next(T* t) {
    ListNode* n = (t->*Member).next;
    return n == &head_ ? nullptr : EntryOf<T, Member>(n);
  }
  static void remove(T* t) { Unlink(&(t->*Member)); }
  size_t size() const {
    size_t n = 0;
    for (const ListNode* i = head_.next; i != &head_; i = i->next) ++n;
    return n;
  }
  ListNode* head() { return &head_; }

  // Forward iteration; the loop body may remove the current entry.
  class Iterator {
   public:
    Iterator(ListNode* n) : n_(n), next_(n->next) {}
    T* operator*() const { return EntryOf<T, Member>(n_); }
    Iterator& operator++() {
      n_ = next_;
      next_ = n_->next;
      return *this;
    }
    bool operator!=(const Iterator& o) const { return n_ != o.n_; }

   private:
    ListNode* n_;
    ListNode* next_;
  };
  Iterator begin() { return Iterator(head_.next); }
  Iterator end() { return Iterator(&head_); }

 private:
  ListNode head_;
};

}  // namespace uwq::base

#endif  // UWQ_WORKQUEUE_BASE_LIST_H_
