/* SPDX-License-Identifier: BSD-3-Clause
 *
 * work_state.pml -- the state word of one item: claim first, place later.
 *
 * What is modelled (workqueue/core/work_state.h, queue.cc, cancel.cc, worker.cc):
 *   two pools (pool 0 with two workers, pool 1 with one); queuers that ask for either
 *   pool; cancel_work_sync() with the disable depth; the window "claimed, not placed",
 *   where a canceler sets WAIT and sleeps; one pool lock at a time; state words that
 *   name a pool_workqueue whose memory is recycled for the other pool (RECYCLE).
 * What must hold:
 *   the item never executes twice at once                         N1, N2, N4
 *   accepted = executions + steals                                Q1, C1
 *   when cancel_sync has waited, the item is nowhere              C2, C3, C4
 *   a store before any queue call is seen by a later execution    Q4 (with NC=0)
 *   ... which flush_work after that call has waited for           F5 (with NC=0, FLUSH)
 *   nobody sleeps for ever                                        S2
 * One atomic step of the model is one atomic access of the code, or code under a lock
 * that nothing outside that lock can observe.
 *
 * NQ queuers of NR calls each, NC cancelers (FLUSH and cancelers exclude each other).
 * BUG_*: see the runner's table.
 */
#ifndef NQ
#define NQ 2
#endif
#ifndef NR
#define NR 1
#endif
#ifndef NC
#define NC 1
#endif

#define NONE 3            /* no pool */
#define NW 3              /* workers 0 and 1 serve pool 0, worker 2 serves pool 1 */
#define POOL(w) ((w) >> 1)

bit lock[2];              /* WorkerPool::lock */

/* --- the state word ---------------------------------------------------------- */
bit pending, onlist, wait;
byte pwq;                 /* valid while onlist */
byte pool = NONE;         /* valid while !onlist: last pool */
byte depth;               /* valid while !onlist: disable depth */

/* --- lists, busy table ----------------------------------------------------------- */
byte at[2];               /* per pool: 0 nowhere, 1 on worklist, 2 + w on scheduled of w */
bit busy[NW];             /* executes the item */
byte curpwq[NW];

/* --- pool_workqueues: type-stable memory -------------------------------------------- */
byte pwqpool[2];          /* PoolWorkqueue::pool */
bit live[2];
byte inflight[2];
byte slot[2];             /* Workqueue::cpu_pwq */

/* --- who waits: WaitBucket, barriers.  By canceler, or with FLUSH by queuer. ---------- */
#define NS 3
#define BEHIND_ITEM 7
bit bucket;
bit asleep[NS];
byte barrier[NS];         /* 0 none, 1 + w: behind the execution on w, or BEHIND_ITEM */

/* --- oracle ------------------------------------------------------------------------------ */
byte nrun, accepted, starts, stolen, said_true;
byte posted;              /* by queuer: stored before a call, not yet seen by an execution */

inline LOCK(i)   { atomic { lock[i] == 0 -> lock[i] = 1 } }
inline UNLOCK(i) { lock[i] = 0 }

/* WakeClaimWaiters(): needs the bucket's lock for one instant. */
inline WAKE() { atomic { bucket == 0 -> asleep[0] = 0; asleep[1] = 0; asleep[2] = 0 } }

/* FindBusyLocked(): NONE or the worker of pool p that executes the item. */
inline FIND_BUSY(p, w)
{
  d_step {
    w = NONE;
    if :: p == 0 && busy[0] -> w = 0
       :: p == 0 && !busy[0] && busy[1] -> w = 1
       :: p == 1 && busy[2] -> w = 2
       :: else fi
  }
}

/* Claim(): one fetch_or. */
inline CLAIM()
{
  d_step {
    o_pending = pending; o_onlist = onlist; o_wait = wait; o_depth = depth;
    o_ref = (onlist -> pwq : pool);
    pending = 1
  }
}

/* ReleaseClaim(): one CAS that returns and clears WAIT. */
inline RELEASE(d)
{
  d_step { assert(pending && !onlist); w_seen = wait; wait = 0; pending = 0; depth = d };
#ifndef BUG_RELEASE_FORGETS_WAIT
  if :: w_seen -> WAKE() :: else fi;
#endif
  w_seen = 0
}

/* PlaceLocked(): link, then EnterList() by an exchange that returns WAIT. */
inline PLACE(p, q)
{
  d_step { assert(at[p] == 0 && at[1 - p] == 0); at[p] = 1; inflight[q]++ };
#ifdef BUG_ENTER_LIST_STORES
  d_step { assert(pending && !onlist); onlist = 1; pwq = q; wait = 0; depth = 0; pool = 0 };
#else
  d_step { assert(pending && !onlist); w_seen = wait; onlist = 1; pwq = q; wait = 0;
           depth = 0; pool = 0 };
  if :: w_seen -> WAKE() :: else fi;
#endif
  w_seen = 0;
  accepted++
}

/* SleepOnClaim(): until the owner of the claim has taken its next step. */
inline SLEEP_ON_CLAIM()
{
          /* MarkWait(): a CAS from the word just seen. */
          d_step {
            if :: o_wait -> w_seen = 1
               :: !o_wait && pending && !onlist && !wait && pool == o_ref && depth == o_depth ->
                  wait = 1; w_seen = 1
               :: else -> w_seen = 0 fi
          };
          if
          :: w_seen ->
             w_seen = 0;
             atomic { bucket == 0 -> bucket = 1 };
             do
  #ifdef BUG_SLEEP_WITHOUT_SECOND_LOOK
             :: true -> atomic { asleep[me] = 1; bucket = 0 };
                atomic { !asleep[me] && bucket == 0 -> bucket = 1 }; break
  #else
             :: atomic { onlist || !wait -> break }
             :: atomic { !onlist && wait -> asleep[me] = 1; bucket = 0 };   /* CondVar::Wait */
                atomic { !asleep[me] && bucket == 0 -> bucket = 1 }
  #endif
             od;
             bucket = 0
          :: else
          fi
}

/* FlushWork(): StartFlush, then sleep behind the barrier. */
inline FLUSH_WORK()
{
  do
  :: d_step { o_pending = pending; o_onlist = onlist; o_wait = wait; o_depth = depth;
              o_ref = (onlist -> pwq : pool) };
     if
#ifndef BUG_FLUSH_IGNORES_WINDOW
     :: o_pending && !o_onlist -> SLEEP_ON_CLAIM()
     :: !o_pending && o_ref == NONE -> break
     :: o_onlist || (!o_pending && o_ref != NONE) ->
#else
     :: !o_onlist && o_ref == NONE -> break
     :: o_onlist || o_ref != NONE ->
#endif
        p = (o_onlist -> pwqpool[o_ref] : o_ref);
        LOCK(p);
        if
        :: atomic { onlist && pwqpool[pwq] == p -> barrier[me] = BEHIND_ITEM };
           UNLOCK(p); barrier[me] == 0; break
        :: atomic { onlist && pwqpool[pwq] != p }; UNLOCK(p)       /* moved meanwhile */
        :: atomic { !onlist -> FIND_BUSY(p, w) };
           if
           :: w != NONE -> barrier[me] = 1 + w; UNLOCK(p); barrier[me] == 0; break
           :: else -> UNLOCK(p); break
           fi
        fi
     fi
  od;
  atomic { p = 0; w = 0; o_pending = 0; o_onlist = 0; o_wait = 0; o_ref = 0; o_depth = 0 }
}

proctype queuer(byte me)
{
  byte n, cpu, q, p, last, w;
  bit o_pending, o_onlist, o_wait, w_seen;
  byte o_depth, o_ref;

  do
  :: n == NR -> break
  :: else ->
     n++;
     if :: cpu = 0 :: cpu = 1 fi;
     posted = posted | (1 << me);
#ifdef BUG_LOOK_BEFORE_CLAIM
     /* N2 decided on a word that is not ours yet. */
     last = (onlist -> NONE : pool);
     w = NONE;
     if :: last != NONE -> LOCK(last); FIND_BUSY(last, w); UNLOCK(last) :: else fi;
#endif
     CLAIM();
     if
     :: o_pending -> skip                        /* false: pending already */
     :: !o_pending && o_depth > 0 -> RELEASE(o_depth)        /* false: disabled */
     :: !o_pending && o_depth == 0 ->
#ifndef BUG_LOOK_BEFORE_CLAIM
        last = o_ref; w = NONE;
#endif
retry:  q = slot[cpu]; p = pwqpool[q];
#if !defined(BUG_NO_LAST_POOL) && !defined(BUG_LOOK_BEFORE_CLAIM)
        if
        :: last != NONE && last != p ->
           LOCK(last); FIND_BUSY(last, w);
           if
           :: w != NONE -> q = curpwq[w]; PLACE(last, q); UNLOCK(last); goto done
           :: else -> UNLOCK(last)
           fi
        :: else
        fi;
#endif
#ifdef BUG_LOOK_BEFORE_CLAIM
        if :: w != NONE -> p = last; q = last :: else fi;
#endif
        LOCK(p);
        if
#ifdef BUG_PLACE_ON_DEAD_PWQ
        :: true -> PLACE(pwqpool[q], q); UNLOCK(p)
#else
        :: live[q] && pwqpool[q] == p -> PLACE(p, q); UNLOCK(p)
        :: else -> UNLOCK(p); goto retry       /* attributes changed: look again */
#endif
        fi
     fi;
done: atomic { w = 0; last = 0; q = 0; p = 0; cpu = 0;
               o_pending = 0; o_onlist = 0; o_wait = 0; o_depth = 0; o_ref = 0 };
#ifdef FLUSH
     FLUSH_WORK();
     assert((posted & (1 << me)) == 0);
#endif
  od
}

proctype worker(byte me)
{
  byte other, w;
end:
  do
  :: atomic { at[POOL(me)] == 1 && lock[POOL(me)] == 0 -> lock[POOL(me)] = 1 };
     FIND_BUSY(POOL(me), other);
#ifndef BUG_NO_COLLISION_CHECK
     if
     :: other != NONE -> d_step { at[POOL(me)] = 2 + other; other = 0 }; UNLOCK(POOL(me))
     :: else -> other = 0;
#endif
exec:   atomic {
          assert(pending && onlist && pwqpool[pwq] == POOL(me));
          busy[me] = 1; curpwq[me] = pwq; at[POOL(me)] = 0;
          /* What is linked behind the item moves along. */
          if :: barrier[0] == BEHIND_ITEM -> barrier[0] = 1 + me :: else fi;
          if :: barrier[1] == BEHIND_ITEM -> barrier[1] = 1 + me :: else fi;
          if :: barrier[2] == BEHIND_ITEM -> barrier[2] = 1 + me :: else fi
        };
#ifdef BUG_CLEAR_PENDING_AFTER
        UNLOCK(POOL(me));
        d_step { nrun++; starts++; assert(nrun == 1); posted = 0 };
        d_step { nrun--; onlist = 0; pending = 0; pool = POOL(me) };
#else
        d_step { onlist = 0; pending = 0; pool = POOL(me); depth = 0 };  /* StartExecution */
        UNLOCK(POOL(me));
        d_step { nrun++; starts++; assert(nrun == 1); posted = 0 };      /* the function */
        nrun--;
#endif
        LOCK(POOL(me));
        d_step {
          busy[me] = 0; inflight[curpwq[me]]--; curpwq[me] = 0;
          /* Barriers run next, on this worker. */
          if :: barrier[0] == 1 + me -> barrier[0] = 0 :: else fi;
          if :: barrier[1] == 1 + me -> barrier[1] = 0 :: else fi;
          if :: barrier[2] == 1 + me -> barrier[2] = 0 :: else fi
        };
        if
        :: at[POOL(me)] == 2 + me -> goto exec
        :: else -> UNLOCK(POOL(me))
        fi
#ifndef BUG_NO_COLLISION_CHECK
     fi
#endif
  od
}

/* GrabPending(): `was` tells whether the item was pending. */
inline GRAB(was)
{
  do
  :: CLAIM();
     if
     :: !o_pending -> was = 0; break
     :: o_pending && o_onlist ->                         /* StealQueued() */
        p = pwqpool[o_ref];
        LOCK(p);
#ifdef BUG_STEAL_WITHOUT_SECOND_LOOK
        if :: true ->
#elif defined(BUG_STEAL_BELIEVES_STALE_POOL)
        if :: onlist && pwq == o_ref ->
#else
        if :: onlist && pwq == o_ref && pwqpool[o_ref] == p ->
#endif
           d_step { assert(at[p] != 0); at[p] = 0 };
           d_step { assert(onlist && pending); onlist = 0; pool = p; depth = 0;
                    inflight[o_ref]--; stolen++ };
           UNLOCK(p); was = 1; break
#ifndef BUG_STEAL_WITHOUT_SECOND_LOOK
        :: else -> UNLOCK(p)
#endif
        fi
     :: o_pending && !o_onlist -> SLEEP_ON_CLAIM()
     fi
  od;
  atomic { p = 0; o_pending = 0; o_onlist = 0; o_wait = 0; o_ref = 0; o_depth = 0; w_seen = 0 }
}

/* cancel_work_sync() */
proctype canceler(byte me)
{
  byte p, w;
  bit was, o_pending, o_onlist, o_wait, w_seen;
  byte o_depth, o_ref;

  GRAB(was);
  if :: was -> said_true++ :: else fi;
#ifdef BUG_NO_DISABLE_GATE
  RELEASE(depth);
#else
  RELEASE(depth + 1);
#endif
  /* FlushWorkFrom(from_cancel) */
  atomic { assert(!onlist); p = pool };
  if
  :: p == NONE -> p = 0
  :: else ->
     LOCK(p);
     FIND_BUSY(p, w);
     if
     :: w != NONE -> barrier[me] = 1 + w; UNLOCK(p); barrier[me] == 0
     :: else -> UNLOCK(p)
     fi;
     d_step { p = 0; w = 0 }
  fi;
  /* C2: gone, and it stays gone while the gate is down. */
  assert(!onlist && at[0] == 0 && at[1] == 0 && nrun == 0 && !busy[0] && !busy[1] && !busy[2]);
#ifndef BUG_NO_DISABLE_GATE
  was = 1;
  GRAB(was);                                             /* EnableWork() */
  assert(!was && depth > 0);
  RELEASE(depth - 1);
#endif
  was = 0
}

#ifdef RECYCLE
/* apply_workqueue_attrs(): CPU 0 moves to a new pool_workqueue; the old one is released
 * when idle, and its memory serves pool 1 next. */
proctype attributes()
{
  slot[0] = 1;
  LOCK(0);
  live[0] = 0;
  UNLOCK(0);
  atomic { inflight[0] == 0 && lock[0] == 0 -> lock[0] = 1 };
  UNLOCK(0);
  LOCK(1);                     /* LinkPwqLocked(): under the new pool's lock */
  pwqpool[0] = 1;
  live[0] = 1;
  UNLOCK(1);
  slot[0] = 0
}
#define NA 1
#else
#define NA 0
#endif

init
{
  byte k;
  atomic {
    pwqpool[1] = 1; live[0] = 1; live[1] = 1; slot[1] = 1;
    run worker(0); run worker(1); run worker(2);
    do :: k == NQ -> break :: else -> run queuer(k); k++ od;
    k = 0;
    do :: k == NC -> break :: else -> run canceler(k); k++ od;
#ifdef RECYCLE
    run attributes();
#endif
    k = 0
  };
  /* Everybody but the workers is done, and the workers rest. */
  (_nr_pr == 1 + NW && at[0] == 0 && at[1] == 0 && !busy[0] && !busy[1] && !busy[2] &&
   !lock[0] && !lock[1]);
  assert(!pending && !onlist && !wait && depth == 0);
  assert(accepted == starts + stolen && stolen == said_true);
  assert(inflight[0] == 0 && inflight[1] == 0);
#if NC == 0
  assert(posted == 0);         /* Q4: nothing that was stored before a call is lost */
#endif
}
