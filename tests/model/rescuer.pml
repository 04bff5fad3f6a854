/* SPDX-License-Identifier: BSD-3-Clause
 *
 * rescuer.pml -- the mayday path of a WQ_MEM_RECLAIM queue (R1-R3, R6).
 *
 * What is modelled (Rescuer in workqueue/core/rescuer.cc, WorkerPool::SendMaydays in
 * housekeeping.cc, ManageLocked in worker_pool.cc, ReleasePwq in workqueue.cc): a pool
 * whose only worker has become manager and may never get a thread; NR items of a queue
 * with a rescuer and one item of another queue; the service thread; the release of the
 * queue's pool_workqueue once it is idle; the end of the rescuer.  Batches of one item.
 * What must hold:
 *   every item of the queue is executed once, thread or no thread
 *   the rescuer executes no item of another queue
 *   the rescuer never touches a pool_workqueue that has been released
 *   everybody returns: Forget(), and the join of the rescuer
 */
#ifndef NR
#define NR 3
#endif
#define FOREIGN NR
#define BIT(i) (1 << (i))
#define OURS (BIT(NR) - 1)

bit lock;                           /* WorkerPool::lock */
byte list;                          /* worklist: a set of items */
byte in_flight;                     /* of our pool_workqueue: a set of items */
bit mayday_at, has_worker;
bit no_thread;                      /* none can be made, for ever */
bit live = 1, released;             /* our pool_workqueue */

bit mayday_lock;                    /* Rescuer::mayday_lock_ */
bit mayday_sent, on_maydays, serving, stop;
bit token, parked;                  /* Rescuer's Parker */

byte arrived, done;                 /* oracle */
bit rescuer_gone;

inline LOCK()           { atomic { lock == 0 -> lock = 1 } }
inline UNLOCK()         { lock = 0 }
inline MAYDAY_LOCK()    { atomic { mayday_lock == 0 -> mayday_lock = 1 } }
inline MAYDAY_UNLOCK()  { mayday_lock = 0 }

/* Parker: an Unpark before Park is kept. */
#ifdef BUG_UNPARK_IS_FORGOTTEN
inline UNPARK() { parked = 0 }
inline PARK()   { parked = 1; !parked }
#else
inline UNPARK() { token = 1 }
inline PARK()   { atomic { token -> token = 0 } }
#endif

inline RUN(i)
{
  d_step { assert((done & BIT(i)) == 0); done = done | BIT(i) }
}

proctype queuer(byte i)
{
  atomic {
    lock == 0 ->
    list = list | BIT(i);
    arrived = arrived | BIT(i);
    if :: i < NR -> in_flight = in_flight | BIT(i) :: else fi
  }
}

/* An item of the list, by whoever holds the lock; the lock is dropped meanwhile. */
inline TAKE(set)
{
  d_step {
    i = 0;
    do :: (list & (set) & BIT(i)) == 0 -> i++ :: else -> break od;
    list = list & ~BIT(i)
  }
}
inline RUN_TAKEN()
{
  UNLOCK();
  RUN(i);
  LOCK();
  in_flight = in_flight & ~BIT(i)
}

/* The pool's only worker: manager, and if it gets its thread, a worker again. */
proctype worker()
{
  byte i;
end:
  do
#ifdef BUG_MANAGER_SETS_NO_DEADLINE
  :: atomic { list != 0 && lock == 0 && !has_worker };
#else
  :: atomic { list != 0 && lock == 0 && !has_worker -> mayday_at = 1 };
#endif
end_creating:
     if
     :: atomic { list == 0 && lock == 0 -> mayday_at = 0 }       /* others did it all */
     :: atomic { !no_thread && lock == 0 -> mayday_at = 0; has_worker = 1 }
     fi
  :: atomic { list != 0 && lock == 0 && has_worker -> lock = 1 };
     TAKE(OURS | BIT(FOREIGN));
     RUN_TAKEN();
     UNLOCK()
  od
}

/* WorkerPool::SendMaydays(): each time the interval is over. */
proctype service()
{
end:
  do
  :: atomic { mayday_at && (list & OURS) != 0 && !mayday_sent && lock == 0 -> lock = 1 };
     /* SendMayday() */
     MAYDAY_LOCK();
     if
     :: mayday_sent -> MAYDAY_UNLOCK()
     :: else ->
        d_step { assert(!released); mayday_sent = 1; on_maydays = 1 };
        MAYDAY_UNLOCK();
        UNPARK()
     fi;
     UNLOCK()
  od
}

proctype rescuer()
{
  byte i;
  bit found, more;
  do
  :: true ->
     MAYDAY_LOCK();
     if
     :: on_maydays ->
        d_step { assert(!released); on_maydays = 0; mayday_sent = 0; serving = 1 };
        found = 1; MAYDAY_UNLOCK()
     :: !on_maydays && stop -> MAYDAY_UNLOCK(); break
     :: else -> MAYDAY_UNLOCK()
     fi;
     if
     :: !found -> PARK()
     :: else ->
        found = 0;
        /* Rescue() */
        assert(!released);
        LOCK();
        assert(!released);
#ifdef BUG_TAKES_ANY_ITEM
        if
        :: list != 0 -> TAKE(OURS | BIT(FOREIGN));
#else
        if
        :: (list & OURS) != 0 -> TAKE(OURS);
#endif
           assert(i < NR);
           more = (list & OURS) != 0;
           RUN_TAKEN(); i = 0
        :: else
        fi;
#ifdef BUG_ANOTHER_TURN_WITHOUT_ITEM
        if
        :: list != 0 || !live ->
#else
        if
        :: (more || (mayday_at && list != 0)) && (list & OURS) != 0 ->
#endif
           MAYDAY_LOCK();
           d_step { if :: !mayday_sent -> mayday_sent = 1; on_maydays = 1 :: else fi };
           MAYDAY_UNLOCK()
        :: else
        fi;
        more = 0;
        UNLOCK();
        atomic { mayday_lock == 0 -> serving = 0 }               /* and served_.NotifyAll() */
     fi
  od;
  rescuer_gone = 1
}

/* The queue's attributes change; ReleasePwq() of the old place, then the rescuer's end. */
proctype owner()
{
  atomic { (arrived & OURS) == OURS && lock == 0 -> live = 0 };
  atomic { in_flight == 0 && lock == 0 };
  /* Rescuer::Forget() */
  MAYDAY_LOCK();
#ifndef BUG_FORGET_LEAVES_MAYDAY
  d_step { if :: mayday_sent -> on_maydays = 0; mayday_sent = 0 :: else fi };
#endif
#ifdef BUG_FORGET_DOES_NOT_WAIT
  MAYDAY_UNLOCK();
#else
  MAYDAY_UNLOCK();                                               /* served_.Wait() */
  atomic { !serving && mayday_lock == 0 };
#endif
  released = 1;
  /* Rescuer::~Rescuer() */
  atomic { mayday_lock == 0 -> stop = 1 };
  UNPARK();
  rescuer_gone
}

init
{
  byte k;
  atomic {
    if :: no_thread = 1 :: no_thread = 0 fi;
    run worker(); run service();
    do :: k > FOREIGN -> break :: else -> run queuer(k); k++ od;
    k = 0;
    run rescuer(); run owner()
  };
  timeout;
  assert((done & OURS) == OURS && rescuer_gone && _nr_pr == 3);
  assert(!has_worker || (done & BIT(FOREIGN)) != 0)
}
