#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/budget.h"
#include "common/pool.h"

static struct event_base *base;
static struct pool	*pool;
static sem_t		 begun, go;	/* a job has begun; it may return */
static pthread_t	 loop;
static int		 order[64];	/* the numbers done was called with */
static int		 errors[64];
static size_t		 ndone;

/* A job that returns at once, not in the loop's thread. */
static void
quick(void *arg)
{
	(void)arg;
	if (pthread_equal(pthread_self(), loop))
		abort();
}

/* One that is let go. */
static void
slow(void *arg)
{
	quick(arg);
	sem_post(&begun);
	sem_wait(&go);
}

static void
done(int err, void *arg)
{
	ck_assert(pthread_equal(pthread_self(), loop));
	errors[ndone] = err;
	order[ndone++] = (int)(intptr_t)arg;
}

static void *
number(int n)
{
	return ((void *)(intptr_t)n);
}

/* The loop, until so many are done. */
static void
until_done(size_t n)
{
	while (ndone < n)
		ck_assert_int_ne(event_base_loop(base, EVLOOP_ONCE), -1);
}

static void
begin(size_t threads, size_t queue)
{
	loop = pthread_self();
	ndone = 0;
	sem_init(&begun, 0, 0);
	sem_init(&go, 0, 0);
	ck_assert_ptr_nonnull(base = event_base_new());
	ck_assert_ptr_nonnull(pool = pool_new(base, threads, queue));
}

START_TEST(jobs_run_elsewhere_and_are_done_on_the_loop)
{
	begin(3, 100);
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(pool_run(pool, quick, done, number(i)), 0);
	ck_assert_int_eq(pool_run(pool, quick, NULL, NULL), 0);
	until_done(50);
	for (int i = 0, sum = 0; i < 50; i++) {
		ck_assert_int_eq(errors[i], 0);
		sum += order[i];
		ck_assert(i < 49 || sum == 49 * 50 / 2);
	}
	ck_assert_uint_eq(pool_end(pool, 10000), 0);
	event_base_free(base);
}
END_TEST

START_TEST(one_thread_keeps_the_order)
{
	begin(1, 63);
	for (int i = 0; i < 60; i++)
		ck_assert_int_eq(pool_run(pool, quick, done, number(i)), 0);
	until_done(60);
	for (int i = 0; i < 60; i++)
		ck_assert_int_eq(order[i], i);
	ck_assert_uint_eq(pool_end(pool, 10000), 0);
	event_base_free(base);
}
END_TEST

START_TEST(as_many_at_once_as_threads_and_a_bounded_queue)
{
	begin(2, 3);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(pool_run(pool, slow, done, number(i)), 0);
	errno = 0;
	ck_assert_int_eq(pool_run(pool, slow, done, number(5)), -1);
	ck_assert_int_eq(errno, EAGAIN);
	sem_wait(&begun);
	sem_wait(&begun);
	ck_assert_int_eq(sem_trywait(&begun), -1);	/* the third waits */
	ck_assert_int_eq(pool_run(pool, slow, done, number(5)), -1);
	sem_post(&go);
	sem_wait(&begun);		/* the third has begun: there is room */
	ck_assert_int_eq(pool_run(pool, slow, done, number(5)), 0);
	ck_assert_int_eq(pool_run(pool, slow, done, number(6)), -1);
	for (int i = 0; i < 5; i++)
		sem_post(&go);
	until_done(6);
	ck_assert_uint_eq(pool_end(pool, 10000), 0);
	event_base_free(base);
}
END_TEST

START_TEST(the_end_waits_for_what_runs_and_drops_the_rest)
{
	begin(1, 10);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pool_run(pool, slow, done, number(i)), 0);
	sem_wait(&begun);
	sem_post(&go);
	/* The second may have begun, then it is let go as well. */
	sem_post(&go);
	sem_post(&go);
	ck_assert_uint_eq(pool_end(pool, 60000), 0);
	ck_assert_uint_eq(ndone, 3);
	ck_assert_int_eq(errors[0], 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(order[i], i);
		ck_assert(errors[i] == 0 || errors[i] == ECANCELED);
	}
	event_base_free(base);
}
END_TEST

START_TEST(a_job_that_hangs_does_not_keep_the_end)
{
	begin(1, 10);
	ck_assert_int_eq(pool_run(pool, slow, done, number(0)), 0);
	ck_assert_int_eq(pool_run(pool, slow, done, number(1)), 0);
	sem_wait(&begun);
	ck_assert_uint_eq(pool_end(pool, 20), 1);
	ck_assert_uint_eq(ndone, 1);
	ck_assert_int_eq(order[0], 1);
	ck_assert_int_eq(errors[0], ECANCELED);
	ck_assert_int_eq(pool_run(pool, quick, done, NULL), -1);
	ck_assert_int_eq(errno, EAGAIN);
	sem_post(&go);			/* it ends with the process */
}
END_TEST

static int	 again;

/* One that asks for the next. */
static void
more(int err, void *arg)
{
	done(err, arg);
	if (again-- > 0)
		ck_assert_int_eq(pool_run(pool, quick, more, arg), 0);
}

START_TEST(what_is_done_may_ask_for_more_and_takes_turns)
{
	begin(2, 40);
	budget_set(1);
	again = 20;
	for (int i = 0; i < 30; i++)
		ck_assert_int_eq(pool_run(pool, quick, more, number(i)), 0);
	while (ndone < 50) {
		ck_assert_int_ne(event_base_loop(base, EVLOOP_ONCE), -1);
		budget_renew();
	}
	ck_assert_uint_eq(pool_end(pool, 10000), 0);
	ck_assert_uint_eq(pool_end(NULL, 0), 0);
	event_base_free(base);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("pool");
	TCase	*t = tcase_create("pool");
	SRunner	*r;
	int	 failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, jobs_run_elsewhere_and_are_done_on_the_loop);
	tcase_add_test(t, one_thread_keeps_the_order);
	tcase_add_test(t, as_many_at_once_as_threads_and_a_bounded_queue);
	tcase_add_test(t, the_end_waits_for_what_runs_and_drops_the_rest);
	tcase_add_test(t, a_job_that_hangs_does_not_keep_the_end);
	tcase_add_test(t, what_is_done_may_ask_for_more_and_takes_turns);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
