/* A pool of threads for what would block the loop. */
#include <sys/eventfd.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/budget.h"
#include "common/bytes.h"
#include "common/list.h"
#include "common/log.h"
#include "common/pool.h"

struct pool_task {
	struct list	 at;
	pool_job_cb	*job;
	pool_done_cb	*done;
	void		*arg;
	int		 err;
};

struct pool {
	struct event	*ready;		/* wake is readable */
	int		 wake;		/* an eventfd: something is finished */
	size_t		 threads_max, queue_max;
	size_t		 nthreads;
	pthread_t	*threads;

	pthread_mutex_t	 lock;		/* of what follows */
	pthread_cond_t	 wanted;	/* there is a task, or the end */
	pthread_cond_t	 quiet;		/* nothing is running */
	struct list	 queue, finished;
	size_t		 nqueue, nrunning;
	int		 ending;
};

/* ---- in the threads ---- */

/* Say to the loop that something is finished. */
static void
pool_wake(struct pool *p)
{
	static const uint64_t	 one = 1;
	ssize_t			 n;

	do
		n = write(p->wake, &one, sizeof(one));
	while (n == -1 && errno == EINTR);
}

/* A thread's life: one task after another. */
static void *
pool_thread(void *arg)
{
	struct pool		*p = arg;
	struct pool_task	*t;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (list_empty(&p->queue) && !p->ending)
			pthread_cond_wait(&p->wanted, &p->lock);
		if (list_empty(&p->queue))
			break;
		t = list_entry(p->queue.next, struct pool_task, at);
		list_remove(&t->at);
		p->nqueue--;
		p->nrunning++;
		pthread_mutex_unlock(&p->lock);
		t->job(t->arg);
		pthread_mutex_lock(&p->lock);
		list_push(&p->finished, &t->at);
		if (--p->nrunning == 0)
			pthread_cond_signal(&p->quiet);
		pool_wake(p);
	}
	pthread_mutex_unlock(&p->lock);
	return (NULL);
}

/* ---- on the loop ---- */

/* The task that was finished first, or NULL. */
static struct pool_task *
pool_take(struct pool *p)
{
	struct pool_task	*t = NULL;

	pthread_mutex_lock(&p->lock);
	if (!list_empty(&p->finished)) {
		t = list_entry(p->finished.next, struct pool_task, at);
		list_remove(&t->at);
	}
	pthread_mutex_unlock(&p->lock);
	return (t);
}

/* Whoever asked for t is told. */
static void
pool_settle(struct pool_task *t)
{
	if (t->done != NULL)
		t->done(t->err, t->arg);
	free(t);
}

/* Something is finished: as much of it as this turn has time for. */
static void
pool_ready_cb(evutil_socket_t fd, short what, void *arg)
{
	struct pool		*p = arg;
	struct pool_task	*t;
	uint64_t		 n;

	(void)what;
	if (read(fd, &n, sizeof(n)) == -1 && errno != EAGAIN)
		log_warn("pool: %s", strerror(errno));
	budget_begin();
	while ((t = pool_take(p)) != NULL) {
		budget_charge(BUDGET_MESSAGE);
		pool_settle(t);
		if (budget_over()) {
			pool_wake(p);	/* the rest in the next turn */
			return;
		}
	}
}

/* One thread more, which hears no signal.  0, or -1 with errno. */
static int
pool_start_thread(struct pool *p)
{
	sigset_t	 all, before;
	int		 e;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	e = pthread_create(&p->threads[p->nthreads], NULL, pool_thread, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (e != 0) {
		errno = e;
		return (-1);
	}
	pthread_setname_np(p->threads[p->nthreads], "work");
	p->nthreads++;
	return (0);
}

struct pool *
pool_new(struct event_base *base, size_t threads, size_t queue)
{
	pthread_condattr_t	 clock;
	struct pool		*p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (NULL);
	p->threads = calloc(threads, sizeof(*p->threads));
	p->threads_max = threads;
	p->queue_max = queue;
	list_init(&p->queue);
	list_init(&p->finished);
	p->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (p->threads == NULL || p->wake == -1 || (p->ready = event_new(base,
	    p->wake, EV_READ | EV_PERSIST, pool_ready_cb, p)) == NULL ||
	    event_add(p->ready, NULL) == -1) {
		if (p->ready != NULL)
			event_free(p->ready);
		if (p->wake != -1)
			close(p->wake);
		free(p->threads);
		free(p);
		return (NULL);
	}
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wanted, NULL);
	pthread_cond_init(&p->quiet, &clock);
	pthread_condattr_destroy(&clock);
	return (p);
}

int
pool_run(struct pool *p, pool_job_cb *job, pool_done_cb *done, void *arg)
{
	struct pool_task	*t;
	size_t			 busy;
	int			 ending;

	pthread_mutex_lock(&p->lock);
	busy = p->nqueue + p->nrunning;
	ending = p->ending;
	pthread_mutex_unlock(&p->lock);
	if (ending || busy >= p->threads_max + p->queue_max ||
	    (busy >= p->nthreads && p->nthreads < p->threads_max &&
	    pool_start_thread(p) == -1 && p->nthreads == 0)) {
		errno = EAGAIN;
		return (-1);
	}
	if ((t = calloc(1, sizeof(*t))) == NULL)
		return (-1);
	t->job = job;
	t->done = done;
	t->arg = arg;
	pthread_mutex_lock(&p->lock);
	list_push(&p->queue, &t->at);
	p->nqueue++;
	pthread_cond_signal(&p->wanted);
	pthread_mutex_unlock(&p->lock);
	return (0);
}

/* Nothing begins any more, and what runs is waited for.  How much still does. */
static size_t
pool_stop(struct pool *p, struct list *cancelled, unsigned ms)
{
	struct timespec	 until;
	struct list	*e, *tmp;
	size_t		 running;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&p->lock);
	p->ending = 1;
	list_each(e, tmp, &p->queue) {
		list_entry(e, struct pool_task, at)->err = ECANCELED;
		list_remove(e);
		list_push(cancelled, e);
	}
	p->nqueue = 0;
	pthread_cond_broadcast(&p->wanted);
	while (p->nrunning > 0 && pthread_cond_timedwait(&p->quiet, &p->lock,
	    &until) == 0)
		;
	running = p->nrunning;
	pthread_mutex_unlock(&p->lock);
	return (running);
}

size_t
pool_end(struct pool *p, unsigned ms)
{
	struct list		 cancelled, *e, *tmp;
	struct pool_task	*t;
	size_t			 running;

	if (p == NULL)
		return (0);
	list_init(&cancelled);
	running = pool_stop(p, &cancelled, ms);
	while ((t = pool_take(p)) != NULL)
		pool_settle(t);
	list_each(e, tmp, &cancelled) {
		t = list_entry(e, struct pool_task, at);
		list_remove(&t->at);
		pool_settle(t);
	}
	event_del(p->ready);
	if (running > 0)
		return (running);
	for (size_t i = 0; i < p->nthreads; i++)
		pthread_join(p->threads[i], NULL);
	event_free(p->ready);
	close(p->wake);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->wanted);
	pthread_cond_destroy(&p->quiet);
	free(p->threads);
	free(p);
	return (0);
}
