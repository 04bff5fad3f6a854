/* SPDX-License-Identifier: BSD-3-Clause
 *
 * node_active.pml -- the limit that pool_workqueues of several pools share (A4, A8, A9).
 *
 * What is modelled (NodeActive, TryGetActiveLocked, ActivateFirstLocked, PlaceLocked and
 * LeaveLocked in workqueue/core/pool_workqueue.cc): pool_workqueue p lives in pool p, both
 * count in one NodeActive with MAX slots; items come, run, leave.
 *   FREEZE   max_active 0 at first, one item is cancelled, then thaw (AdjustMaxActiveLocked)
 *   PLUG     an ordered queue whose pool_workqueue 1 is plugged until 0 is idle (ReleasePwq)
 * What must hold:
 *   the limit
 *   no activation is lost: when nothing can move, no item waits                    A2, A9
 *   a pool_workqueue is in line for a slot only while it has an inactive item
 */
#ifndef MAX
#define MAX 1
#endif
#ifndef NQ0
#define NQ0 2                       /* items of pool_workqueue 0 */
#endif
#ifndef NQ1
#define NQ1 2
#endif
#define NP 2
#define NONE 3

bit lock[NP];                       /* WorkerPool::lock */

/* PoolWorkqueue, under lock[p] */
byte inactive[NP];                  /* length of `inactive` */
byte ready[NP];                     /* items with a slot, nr_active */
bit plugged[NP];

/* NodeActive: atomics */
byte nr, max, nr_pending;
/* NodeActive: under its lock_, which is held for one step only */
byte line[NP] = NONE;               /* pending_ */
bit linked[NP];                     /* pending_node */

byte placed, gone;                  /* oracle */

inline LOCK(p)   { atomic { lock[p] == 0 -> lock[p] = 1 } }
inline UNLOCK(p) { lock[p] = 0 }

inline ADD_WAITER(p)
{
  d_step {
    if
    :: !linked[p] ->
       if :: line[0] == NONE -> line[0] = p :: else -> line[1] = p fi;
       linked[p] = 1; nr_pending++
    :: else
    fi
  }
}
inline REMOVE_WAITER(p)
{
  d_step {
    if
    :: linked[p] ->
       if :: line[0] == p -> line[0] = line[1] :: else fi;
       line[1] = NONE; linked[p] = 0; nr_pending--
    :: else
    fi
  }
}
inline ROTATE(p)
{
  d_step {
    if :: linked[p] && line[0] == p && line[1] != NONE -> line[0] = line[1]; line[1] = p
       :: else fi
  }
}

/* NodeActive::TryGet() */
inline TRY_GET(ok)
{
  do
  :: true ->
     seen = nr;
     if :: seen >= max -> ok = 0; break :: else fi;
     atomic {
       if :: nr == seen -> nr++; assert(nr <= MAX); ok = 1; break :: else fi
     }
  od;
  seen = 0
}

/* TryGetActiveLocked() */
inline TRY_GET_ACTIVE(p, fill, ok)
{
  if
  :: plugged[p] -> ok = 0
  :: !plugged[p] && !fill && linked[p] -> ok = 0
  :: else ->
     TRY_GET(ok);
     if
     :: !ok ->
        ADD_WAITER(p);
#ifndef BUG_ONE_LOOK
        TRY_GET(ok);
        if :: ok && !fill -> REMOVE_WAITER(p) :: else fi
#endif
     :: else
     fi
  fi;
  if :: ok -> ready[p]++ :: else fi
}

/* ActivateFirstLocked() */
inline ACTIVATE_FIRST(p, fill, ok)
{
  if
  :: inactive[p] == 0 -> ok = 0
  :: else ->
     TRY_GET_ACTIVE(p, fill, ok);
     if
     :: ok ->
        inactive[p]--;
        if :: inactive[p] == 0 -> REMOVE_WAITER(p) :: else -> ROTATE(p) fi
     :: else
     fi
  fi
}

/* NodeActive::ActivatePending(), no lock held. */
inline ACTIVATE_PENDING()
{
  do
  :: true ->
     atomic { h = line[0]; if :: h == NONE -> break :: else fi };
     LOCK(h);
     if
     :: !linked[h] -> UNLOCK(h)
     :: linked[h] && (inactive[h] == 0 || plugged[h]) -> REMOVE_WAITER(h); UNLOCK(h)
     :: else ->
        ACTIVATE_FIRST(h, 1, got);
        UNLOCK(h);
        if :: !got -> break :: else fi
     fi
  od;
  h = 0; got = 0
}

/* What LeaveLocked() does about the slot; p is locked on entry, not on exit. */
inline LEAVE_AND_UNLOCK(p)
{
#ifdef BUG_PUT_LOOKS_FIRST
  after = (nr_pending != 0);
  d_step { assert(nr > 0); nr--; left = nr };
  after = after && left < max;
#else
  d_step { assert(nr > 0); nr--; left = nr };
  after = (left < max && nr_pending != 0);
#endif
  if
  :: after && line[0] == p ->          /* FirstWaiterIn(pool) */
     ACTIVATE_FIRST(p, 1, got);
     if :: got -> after = 0 :: else fi
  :: else
  fi;
  got = 0; left = 0;
  UNLOCK(p);
#ifdef BUG_OWN_POOL_ONLY
  after = 0;
#endif
  if :: after -> after = 0; ACTIVATE_PENDING() :: else fi
}

proctype queuer(byte p)
{
  byte seen;
  bit got;
  LOCK(p);
  placed++;
  if
  :: inactive[p] == 0 ->
     TRY_GET_ACTIVE(p, 0, got);
     if :: !got -> inactive[p]++ :: else fi
  :: else -> inactive[p]++
  fi;
  UNLOCK(p)
}

proctype worker(byte p)
{
  byte seen, left, h;
  bit got, after;
end:
  do
  :: atomic { ready[p] > 0 && lock[p] == 0 -> lock[p] = 1 };
     ready[p]--; gone++;
     LEAVE_AND_UNLOCK(p)
  od
}

#ifdef FREEZE
/* cancel_work() of an item of p that is still inactive. */
proctype canceler(byte p)
{
  LOCK(p);
  if
  :: inactive[p] > 0 ->
     inactive[p]--; gone++;
#ifndef BUG_CANCEL_STAYS_IN_LINE
     if :: inactive[p] == 0 -> REMOVE_WAITER(p) :: else fi
#endif
  :: else
  fi;
  UNLOCK(p)
}

/* Thaw(): AdjustMaxActiveLocked() */
proctype thaw()
{
  byte p, seen;
  bit got, again;
  max = MAX;
  do
  :: true ->
     again = 0; p = 0;
     do
     :: p == NP -> break
     :: else ->
        LOCK(p);
        ACTIVATE_FIRST(p, 1, got);
        if :: got -> again = 1 :: else fi;
        UNLOCK(p);
        p++
     od;
     if :: again -> skip :: else -> break fi
  od
}
#endif

#ifdef PLUG
/* ReleasePwq() of pool_workqueue 0: its successor starts. */
proctype releaser()
{
  byte seen;
  bit got;
  ready[0] == 0 && lock[0] == 0;
  LOCK(1);
  plugged[1] = 0;
  ACTIVATE_FIRST(1, 1, got);
#ifndef BUG_UNPLUG_STARTS_ONE
  /* The call that fails puts the rest in line. */
  do :: got -> ACTIVATE_FIRST(1, 1, got) :: else -> break od;
#endif
  UNLOCK(1)
}
#endif

init
{
  byte k;
  atomic {
#ifndef FREEZE
    max = MAX;
#endif
    run worker(0); run worker(1);
    do :: k == NQ0 -> break :: else -> run queuer(0); k++ od;
    k = 0;
    do :: k == NQ1 -> break :: else -> run queuer(1); k++ od;
    k = 0;
#ifdef FREEZE
    run canceler(0); run thaw();
#endif
#ifdef PLUG
    /* The old place still runs one item, and takes no further ones. */
    assert(NQ0 == 0);
    placed = 1; nr = 1; ready[0] = 1;
    plugged[1] = 1; run releaser();
#endif
  };
  timeout;                          /* nothing can move any more */
  assert(_nr_pr == 1 + NP && gone == placed && nr == 0);
  assert(inactive[0] == 0 && inactive[1] == 0 && nr_pending == 0)
}
