/* SPDX-License-Identifier: BSD-3-Clause
 *
 * flush_colours.pml -- flush_workqueue() by colours (F1, F3, F4).
 *
 * What is modelled (FlushColors, PrepareFlushLocked, CascadeLocked in
 * workqueue/core/flush.cc; PlaceLocked, LeaveLocked in pool_workqueue.cc): one queue
 * with NP pool_workqueues in pools of their own, a ring of NCOL colours instead of 16
 * so that the overflow list is reached, NF flushers, NI items that come and leave at
 * any time.
 * What must hold:
 *   no flusher returns before every item that was queued when it called has left
 *   every flusher returns
 *   the colours in use are exactly those from flush_color to work_color
 * What happens under one lock with at most one access that others see without that
 * lock is one step here; LeaveLocked(), which has several, is taken apart.
 */
#ifndef NF
#define NF 4
#endif
#ifndef NI
#define NI 3
#endif
#define NP 2
#define NCOL 3
#define NOC 7                        /* no colour */
#define NONE 7                       /* no flusher */
#define NEXT(c) (((c) + 1) % NCOL)
#define IN_FLIGHT(p, c) nr_in_flight[(p) * NCOL + (c)]

bit lock[NP];                        /* WorkerPool::lock */
bit mutex;                           /* Workqueue::mutex */

/* PoolWorkqueue, under lock[p] */
byte pwq_work_color[NP];
byte pwq_flush_color[NP] = NOC;
byte nr_in_flight[NP * NCOL];

/* Workqueue, under mutex */
byte work_color, flush_color;
byte queue[NF], nr_queue;            /* flusher_queue */
byte overflow[NF], nr_overflow;      /* flusher_overflow */
byte color[NF] = NOC;                /* Flusher::flush_color */

/* atomics */
byte nr_pwqs_to_flush;
byte first_flusher = NONE;
bit done[NF];                        /* Flusher::done */

/* oracle: sets of items */
byte queued, left;
byte calls;                          /* flushers are alike: they call in order */

proctype item(byte me)
{
  byte p, c, f;
  bit armed, last;

  p = me % NP;
  atomic {
    lock[p] == 0 && (me < NP || (queued & (1 << (me - NP))) != 0) ->  /* items are alike, too */
    c = pwq_work_color[p]; IN_FLIGHT(p, c)++; queued = queued | (1 << me)
  };
  /* It runs, or is cancelled; then LeaveLocked(). */
  atomic {
    lock[p] == 0 ->
    left = left | (1 << me);
    assert(IN_FLIGHT(p, c) > 0);
#ifdef BUG_CANCEL_KEEPS_COLOUR
    if :: me == 0 -> skip :: else -> IN_FLIGHT(p, c)-- fi;
#else
    IN_FLIGHT(p, c)--;
#endif
    if
    :: IN_FLIGHT(p, c) == 0 && pwq_flush_color[p] == c ->
       armed = 1; lock[p] = 1;
#ifndef BUG_PWQ_STAYS_ARMED
       pwq_flush_color[p] = NOC
#endif
    :: else
    fi
  };
  if
  :: armed ->
     d_step { nr_pwqs_to_flush--; last = (nr_pwqs_to_flush == 0) };
     if
     :: last -> f = first_flusher; assert(f != NONE); done[f] = 1
     :: else
     fi;
     lock[p] = 0
  :: else
  fi
}

/* PrepareFlushLocked(fc, wc); leaves its result in `wait`. */
inline PREPARE(fc, wc)
{
#ifdef BUG_WALK_WITHOUT_OUR_ONE
  d_step { wait = 0; p = 0; if :: fc != NOC -> nr_pwqs_to_flush = 0 :: else fi };
#else
  d_step { wait = 0; p = 0; if :: fc != NOC -> nr_pwqs_to_flush = 1 :: else fi };
#endif
  do
  :: p == NP -> break
  :: atomic { p < NP && lock[p] == 0 ->
     if
     :: fc != NOC && nr_in_flight[p * NCOL + fc % NCOL] > 0 ->
        assert(pwq_flush_color[p] == NOC);
        pwq_flush_color[p] = fc; nr_pwqs_to_flush++; wait = 1
     :: else
     fi;
     if
#ifdef BUG_PWQ_KEEPS_COLOUR
     :: wc != NOC && p == 0 -> pwq_work_color[p] = wc
#else
     :: wc != NOC -> pwq_work_color[p] = wc
#endif
     :: else
     fi;
     p++ }
  od;
  p = 0;
#ifndef BUG_WALK_WITHOUT_OUR_ONE
  if
  :: fc != NOC ->
     d_step { nr_pwqs_to_flush--; last = (nr_pwqs_to_flush == 0) };
     if :: last -> d_step { done[first_flusher] = 1; last = 0 } :: else fi
  :: else
  fi
#endif
}

inline ENQUEUE(f) { d_step { queue[nr_queue] = f; nr_queue++ } }
inline DEQUEUE(f)
{
  d_step {
    f = queue[0]; nr_queue--; i = 0;
    do :: i < nr_queue -> queue[i] = queue[i + 1]; i++ :: else -> break od;
    queue[nr_queue] = 0; i = 0
  }
}

/* CascadeLocked() */
inline CASCADE()
{
  do
  :: true ->
     do
     :: atomic { nr_queue > 0 && color[queue[0]] == flush_color -> DEQUEUE(x); done[x] = 1 }
     :: else -> break
     od;
     flush_color = NEXT(flush_color);
     if
     :: nr_overflow > 0 ->
        d_step {
          i = 0;
          do
          :: i < nr_overflow ->
#ifndef BUG_OVERFLOW_WITHOUT_COLOUR
             color[overflow[i]] = work_color;
#endif
             queue[nr_queue] = overflow[i]; nr_queue++; overflow[i] = 0; i++
          :: else -> break
          od;
          nr_overflow = 0; i = 0;
          work_color = NEXT(work_color)
        };
        PREPARE(NOC, work_color)
     :: else
     fi;
     if
     :: nr_queue == 0 -> assert(flush_color == work_color); break
     :: else
     fi;
#ifndef BUG_OVERFLOW_WITHOUT_COLOUR
     assert(flush_color != work_color && color[queue[0]] == flush_color);
#endif
     atomic { DEQUEUE(x); first_flusher = x; x = 0 };
     PREPARE(flush_color, NOC);
#ifdef BUG_NO_SKIP
     break;
#else
     if :: wait -> break :: else fi;
#endif
     first_flusher = NONE
  od
}

proctype flusher(byte me)
{
  byte must, next, p, i, x;
  bit wait, last;

  atomic {
    mutex == 0 && calls == me -> mutex = 1; calls++;
    must = queued;                   /* F1: these, and no later ones */
    next = NEXT(work_color);
    if
#ifndef BUG_RING_NEVER_FULL
    :: next == flush_color -> overflow[nr_overflow] = me; nr_overflow++; mutex = 0; goto sleep
    :: next != flush_color -> color[me] = work_color; work_color = next
#else
    :: true -> color[me] = work_color; work_color = next
#endif
    fi;
    if
    :: first_flusher == NONE -> assert(flush_color == color[me]); first_flusher = me
    :: else -> ENQUEUE(me); next = NOC
    fi
  };
  if
  :: next != NOC ->
     PREPARE(flush_color, work_color);
     if
     :: !wait -> atomic { flush_color = next; first_flusher = NONE; mutex = 0; goto out }
     :: else -> mutex = 0
     fi
  :: else -> PREPARE(NOC, work_color); mutex = 0
  fi;

sleep:
  done[me];                          /* Completion::Wait */
  if :: first_flusher != me -> goto out :: else fi;
#ifndef BUG_ONE_LOOK_AT_FIRST
  if
  :: atomic { mutex == 0 && first_flusher == me -> mutex = 1; first_flusher = NONE }
  :: atomic { mutex == 0 && first_flusher != me -> goto out }
  fi;
#else
  atomic { mutex == 0 -> mutex = 1; first_flusher = NONE };
#endif
  CASCADE();
  mutex = 0;
out:
  assert((left & must) == must)
}

init
{
  byte k;
  atomic {
    do :: k == NI -> break :: else -> run item(k); k++ od;
    k = 0;
    do :: k == NF -> break :: else -> run flusher(k); k++ od;
    k = 0
  };
  _nr_pr == 1;
  assert(first_flusher == NONE && nr_queue == 0 && nr_overflow == 0);
  assert(flush_color == work_color && nr_pwqs_to_flush == 0);
  assert(pwq_work_color[0] == work_color && pwq_work_color[1] == work_color)
}
