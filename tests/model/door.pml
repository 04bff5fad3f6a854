/* SPDX-License-Identifier: BSD-3-Clause
 *
 * door.pml -- the door of a pool: push, attendance, rest; a canceler in the window.
 *
 * What is modelled (workqueue/core/door.cc, queue.cc, cancel.cc, worker.cc):
 *   NP producers, each with an item of its own, that come by the door while the pool is
 *   attended and by the lock otherwise; one worker that rests when nothing is left; the
 *   attendance, which is claimed while the worker runs and nobody waits for a claim; NC
 *   cancelers of the items, which may meet the window between claim and push; a looker
 *   (a flush, a dump: PoolLock), who lets items in and has to kick for them.
 * What must hold:
 *   each accepted item runs once or is cancelled once       Q1, C1
 *   at the end nothing stands at the door or on the list    no item is left outside
 *   nobody sleeps for ever                                  S2
 *   a canceler in the window needs no worker: WORKER_HANGS  S2
 * One atomic step of the model is one atomic access of the code, or code under the lock
 * that nothing outside of it can observe.  The steps are seq_cst in the code.
 * BUG_*: see the runner's table.
 */
#ifndef NP
#define NP 2
#endif
#ifndef NC
#define NC 1
#endif

mtype = { IDLE, DOOR, LISTED }
mtype word[NP];           /* the state word of each item; DOOR from the claim on */
bit wait[NP];             /* WAIT */
bit atdoor[NP];           /* pushed */
bit onlist[NP];           /* on the pool's list */
bit asleep[2];            /* a canceler, on its bucket */

bit lock;
bit attended, running;    /* Door::attended; nr_running */
bit kicked = 0, parked = 1;
byte claim_waiters;
byte starts[NP], cancels[NP], accepted[NP];
bit hangs;                /* the worker's item does not end */

inline LOCK()   { atomic { lock == 0 -> lock = 1 } }
inline UNLOCK() { lock = 0 }

/* EmptyDoorLocked(): exchange, then place each; EnterList returns WAIT. */
inline SPLICE()
{
  d_step {
    k = 0;
    do
    :: k < NP && atdoor[k] ->
       atdoor[k] = 0; onlist[k] = 1; word[k] = LISTED;
       if :: wait[k] -> wait[k] = 0; asleep[0] = 0; asleep[1] = 0 :: else fi;
       k++
    :: k < NP && !atdoor[k] -> k++
    :: k == NP -> break
    od;
    k = 0
  }
}

#define ANY_LISTED (onlist[0] || (NP > 1 && onlist[NP - 1]))

/* KickLocked(): somebody who waits is woken if nobody runs. */
inline KICK() { d_step { if :: ANY_LISTED && !running -> kicked = 1 :: else fi } }

/* PoolLock: who finds nothing at the door does not kick. */
#define ANY_AT_DOOR (atdoor[0] || (NP > 1 && atdoor[NP - 1]))
inline LET_IN()
{
  if :: ANY_AT_DOOR -> SPLICE(); KICK() :: else fi
}

/* UpdateAttendedLocked() */
inline UPDATE(after)
{
  if
  :: attended != (running && claim_waiters == 0) ->
#ifdef BUG_SPLICE_BEFORE_CLEAR
     SPLICE();
     attended = (running && claim_waiters == 0)
#else
     attended = (running && claim_waiters == 0);
#ifndef BUG_NO_SPLICE_AFTER_CLEAR
     if :: !attended -> SPLICE() :: else fi
#endif
#endif
  :: else
  fi
}

proctype producer(byte me)
{
  byte k;
  if
  :: attended ->
     d_step { assert(word[me] == IDLE); word[me] = DOOR; accepted[me]++ };   /* ClaimForDoor */
     atdoor[me] = 1;                                                         /* the push */
#ifndef BUG_NO_LOOK_AFTER_PUSH
     if
     :: !attended -> LOCK(); LET_IN(); UNLOCK()
     :: else
     fi
#endif
  :: !attended ->
     LOCK();
     LET_IN();
     d_step { word[me] = LISTED; onlist[me] = 1; accepted[me]++ };
     KICK();
     UNLOCK()
  fi
}

proctype worker()
{
  byte k, i;
end:
  do
  :: atomic { kicked -> kicked = 0; parked = 0 };
     LOCK();
     SPLICE();
     if
     :: ANY_LISTED ->
        running = 1;
        UPDATE(0);
        do
        :: ANY_LISTED ->
           d_step {
             i = 0;
             do :: i < NP && !onlist[i] -> i++ :: else -> break od;
             onlist[i] = 0; word[i] = IDLE; starts[i]++
           };
           UNLOCK();
#ifdef WORKER_HANGS
           if :: hangs = 1; goto endhang :: skip fi;
#endif
           LOCK();
           if :: !ANY_LISTED -> SPLICE() :: else fi
        :: !ANY_LISTED ->
#ifdef BUG_REST_ATTENDED
           running = 0;
#else
           running = 0;
           UPDATE(0);
#endif
           if
           :: ANY_LISTED -> running = 1; UPDATE(0)
           :: else -> break
           fi
        od
     :: else
     fi;
     parked = 1;
     UNLOCK()
  od;
endhang:
  false                     /* the model's sampler does not come */
}

/* cancel_work(): GrabPending. */
proctype canceler(byte me)
{
  byte k, it;
  do
  :: word[it] == IDLE -> break
  :: word[it] == LISTED ->
     LOCK();
     LET_IN();
     if
     :: onlist[it] -> d_step { onlist[it] = 0; word[it] = IDLE; cancels[it]++ }; UNLOCK(); break
     :: else -> UNLOCK()
     fi
  :: word[it] == DOOR ->                       /* WaitAtDoor() */
     LOCK();
     LET_IN();
     if
     :: word[it] == DOOR ->
#ifndef BUG_CANCELER_TRUSTS_WORKER
        claim_waiters++;
        UPDATE(0);
        KICK();
#endif
        UNLOCK();
        /* SleepOnClaim(): MarkWait by CAS, then the bucket. */
        if
        :: d_step { word[it] == DOOR && !wait[it] -> wait[it] = 1 };
#ifdef BUG_SLEEP_WITHOUT_SECOND_LOOK
           asleep[me] = 1; !asleep[me]
#else
           atomic { if :: wait[it] -> asleep[me] = 1 :: else fi };
           !asleep[me]
#endif
        :: word[it] != DOOR
        fi;
#ifndef BUG_CANCELER_TRUSTS_WORKER
        LOCK();
        claim_waiters--;
        UPDATE(0);
        KICK();
        UNLOCK()
#endif
     :: else -> UNLOCK()
     fi
  od
}

#ifdef LOOKER
proctype looker()
{
  byte k;
  LOCK();
  SPLICE();
#ifndef BUG_LOOKER_DOES_NOT_KICK
  KICK();
#endif
  UNLOCK()
}
#define NL 1
#else
#define NL 0
#endif

init
{
  byte k;
  atomic {
    do :: k < NP -> word[k] = IDLE; k++ :: else -> break od;
    run worker();
    k = 0;
    do :: k < NP -> run producer(k); k++ :: else -> break od;
    k = 0;
    do :: k < NC -> run canceler(k); k++ :: else -> break od;
#ifdef LOOKER
    run looker();
#endif
    k = 0
  };
  /* Producers and cancelers are done, and the worker rests or hangs. */
  _nr_pr == 2 && (hangs || (parked && !kicked && !lock));
  do
  :: k < NP ->
     assert(hangs || accepted[k] == starts[k] + cancels[k]);
     assert(hangs || (word[k] == IDLE && !atdoor[k] && !onlist[k]));
     assert(!wait[k]);
     k++
  :: else -> break
  od
}
