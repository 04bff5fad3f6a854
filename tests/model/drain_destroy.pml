/* SPDX-License-Identifier: BSD-3-Clause
 *
 * drain_destroy.pml -- drain_workqueue() and destroy_workqueue() (X1-X6).
 *
 * What is modelled (DrainWorkqueue in workqueue/core/flush.cc, DestroyWorkqueue in
 * workqueue.cc, QueueClaimed in queue.cc): one queue with two pool_workqueues; a chain
 * of items 0 -> 1 -> 2, each of which queues the next one on the other pool while it
 * executes; and either ND drainers and an outsider with an item of its own, or (DESTROY)
 * a drainer, a destroyer and flush_work() on a chained item.  A flush of the queue is one step that fixes what is
 * in flight on each pool_workqueue and then waits for it: flush_colours.pml proves that.
 * What must hold:
 *   a drainer returns only when the chain has come to its end                 X1, X2
 *   an outsider is refused from the first drainer's start to the last one's end     X2, X4
 *   whatever was accepted is executed
 *   when the destroyer frees the queue nothing is in flight, barriers included      X6
 */
#define NP 2
#ifndef NCHAIN
#define NCHAIN 3
#endif
#ifndef ND
#define ND 1
#endif
#define OUTSIDER 3                     /* item numbers, and bits of the sets below */
#define BARRIER 4
#define BIT(i) (1 << (i))
#ifdef DESTROY
#define CALLERS 3
#else
#define CALLERS (ND + 1)
#endif
#define CHAIN_SET (BIT(NCHAIN) - 1)
#define POOL_OF(i) ((i) & 1)           /* items 0, 2 on pool 0; 1, OUTSIDER on pool 1 */

bit lock[NP];                          /* WorkerPool::lock */
bit mutex;                             /* Workqueue::mutex */
bit draining;                          /* WQ_DRAINING, WQ_DESTROYING in Workqueue::flags */
byte nr_drainers;
byte nr_chained;                       /* chained placements accepted while draining */

/* Per pool_workqueue, under lock[p]: sets of items. */
byte admitted[NP];                       /* nr_active and `inactive` together */
byte in_flight[NP];                    /* nr_in_flight, all colours */
byte target = 7;                       /* the item that the barrier follows */
bit barrier_done;

/* Oracle. */
byte accepted, done;
byte inside;                           /* drainers at work */
byte calls;                            /* callers that have returned */
bit freed;

inline PLACE(i)
{
  atomic {
    lock[POOL_OF(i)] == 0 ->
    assert(!freed && (accepted & BIT(i)) == 0);
    admitted[POOL_OF(i)] = admitted[POOL_OF(i)] | BIT(i);
    in_flight[POOL_OF(i)] = in_flight[POOL_OF(i)] | BIT(i);
    accepted = accepted | BIT(i)
  }
}

/* An item from its placement to LeaveLocked(). */
proctype item(byte me)
{
  bit drains;
end:
  /* The function begins; if it chains, QueueClaimed() reads the flags. */
  atomic { (admitted[POOL_OF(me)] & BIT(me)) != 0 -> drains = draining && me < NCHAIN - 1 };
  if
  :: me < NCHAIN - 1 ->
#ifdef BUG_CHAIN_REFUSED
     if :: drains -> goto leave :: else fi;
#endif
#ifdef BUG_COUNT_BEFORE_PLACEMENT
     if :: drains -> nr_chained++ :: else fi;
     PLACE(me + 1)
#else
     PLACE(me + 1);
     if :: drains -> nr_chained++ :: else fi
#endif
  :: else
  fi;
leave:
  atomic {
    lock[POOL_OF(me)] == 0 ->
    done = done | BIT(me);
    admitted[POOL_OF(me)] = admitted[POOL_OF(me)] & ~BIT(me);
    in_flight[POOL_OF(me)] = in_flight[POOL_OF(me)] & ~BIT(me)
  };
  if
  :: target == me ->                   /* the barrier runs next, on this worker */
     barrier_done = 1;
     atomic { lock[POOL_OF(me)] == 0 ->
              in_flight[POOL_OF(me)] = in_flight[POOL_OF(me)] & ~BIT(BARRIER) }
  :: else
  fi
}

/* flush_work() of a chained item, at any time. */
proctype flusher()
{
  byte t;
  if :: t = 1 :: t = 2 fi;
  if
  :: atomic { lock[POOL_OF(t)] == 0 && (admitted[POOL_OF(t)] & BIT(t)) != 0 ->
              target = t;
              in_flight[POOL_OF(t)] = in_flight[POOL_OF(t)] | BIT(BARRIER) };
     barrier_done
  :: atomic { lock[POOL_OF(t)] == 0 && (admitted[POOL_OF(t)] & BIT(t)) == 0 }
  fi;
  calls++
}

/* queue_work() from outside, at any time. */
proctype outsider()
{
  bit refused;
  /* Refused when it looks, if a drainer is inside. */
  atomic { refused = draining; assert(refused || inside == 0) };
  if :: !refused -> PLACE(OUTSIDER) :: else fi;
  calls++
}

/* DrainWorkqueue().  `first`: the pool_workqueue at the head of wq->pwqs. */
inline DRAIN(first)
{
  atomic {
    mutex == 0 ->
    nr_drainers++; inside++;
    draining = 1;
    must = accepted
  };
  do
  :: true ->
     /* FlushColors() */
     atomic { lock[first] == 0 -> waits[0] = in_flight[first] };
     atomic { lock[1 - first] == 0 -> waits[1] = in_flight[1 - first] };
     /* Once gone it stays gone: the two waits are one.  DrainedLocked() follows. */
     atomic { (in_flight[first] & waits[0]) == 0 && (in_flight[1 - first] & waits[1]) == 0 &&
              mutex == 0 -> mutex = 1; waits[0] = 0; waits[1] = 0; seen = nr_chained };
#ifdef BUG_BARRIERS_IGNORED
     atomic { lock[first] == 0 -> drained = (admitted[first] == 0) };
     atomic { lock[1 - first] == 0 -> drained = drained && (admitted[1 - first] == 0) };
#else
     atomic { lock[first] == 0 -> drained = (in_flight[first] == 0) };
     atomic { lock[1 - first] == 0 -> drained = drained && (in_flight[1 - first] == 0) };
#endif
     atomic {
#ifndef BUG_WALK_IS_NO_SNAPSHOT
       if :: seen != nr_chained -> drained = 0 :: else fi;
#endif
       seen = 0;
       mutex = 0;
       if
       :: drained ->
          nr_drainers--; inside--;
#ifdef BUG_FIRST_DRAINER_REOPENS
          draining = 0;
#else
          if :: nr_drainers == 0 -> draining = 0 :: else fi;
#endif
          assert((done & CHAIN_SET) == CHAIN_SET && (done & must) == must);
          must = 0; drained = 0;
          break
       :: else
       fi
     }
  od
}

proctype drainer(byte first)
{
  byte waits[2], seen, must;
  bit drained;
  DRAIN(first);
  calls++
}

/* destroy_workqueue(): no outside caller is left, other drainers may be. */
proctype destroyer()
{
  byte waits[2], seen, must;
  bit drained;
  DRAIN(0);
  atomic { lock[0] == 0 -> assert(in_flight[0] == 0) };
  atomic { lock[1] == 0 -> assert(in_flight[1] == 0); freed = 1; calls++ }
}

init
{
  byte k;
  atomic {
    admitted[0] = BIT(0); in_flight[0] = BIT(0); accepted = BIT(0);
    do :: k == NCHAIN -> break :: else -> run item(k); k++ od;
#ifdef DESTROY
    run drainer(1); run destroyer(); run flusher();
#else
    run item(OUTSIDER); run outsider();
    k = 0;
    do :: k == ND -> break :: else -> run drainer(k); k++ od;
#endif
    k = 0
  };
  /* All callers have returned; item processes that were never placed remain. */
  (inside == 0 && calls == CALLERS);
  assert((accepted & CHAIN_SET) == CHAIN_SET && (done & CHAIN_SET) == CHAIN_SET);
  (in_flight[0] == 0 && in_flight[1] == 0);
  assert(done == accepted)
}
