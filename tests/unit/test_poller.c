#include <sys/socket.h>

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/poller.h"

#define PAIRS	300		/* more than one batch */

static struct event_base *base;
static struct poller	*poller;

static struct pair {
	int	 ours, theirs;
	uint8_t	 have;
	int	 called;
	short	 what;
	struct pair *forget;	/* when called */
} pairs[PAIRS];

static void
ready(void *arg, short what)
{
	struct pair	*p = arg, *f = p->forget;

	p->called++;
	p->what = what;
	if (f != NULL && f->have != 0)
		ck_assert_int_eq(poller_want(poller, f->ours, &f->have, 0, f),
		    0);
}

static void
setup(void)
{
	ck_assert_ptr_nonnull(base = event_base_new());
	ck_assert_ptr_nonnull(poller = poller_new(base, ready));
	for (int i = 0; i < PAIRS; i++) {
		int	 fds[2];

		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM |
		    SOCK_NONBLOCK, 0, fds), 0);
		pairs[i] = (struct pair){ .ours = fds[0], .theirs = fds[1] };
	}
}

static void
teardown(void)
{
	poller_free(poller);
	event_base_free(base);
	for (int i = 0; i < PAIRS; i++) {
		close(pairs[i].ours);
		if (pairs[i].theirs != -1)
			close(pairs[i].theirs);
	}
}

static void
want(struct pair *p, short what)
{
	ck_assert_int_eq(poller_want(poller, p->ours, &p->have, what, p), 0);
	ck_assert_int_eq(p->have, what);
}

static void
turn(void)
{
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

START_TEST(only_what_is_wanted_is_told)
{
	ck_assert_int_eq(write(pairs[0].theirs, "x", 1), 1);
	turn();
	ck_assert_int_eq(pairs[0].called, 0);
	want(&pairs[0], EV_READ);
	want(&pairs[1], EV_READ);
	want(&pairs[2], EV_WRITE);
	turn();
	ck_assert_int_eq(pairs[0].called, 1);
	ck_assert_int_eq(pairs[0].what, EV_READ);
	ck_assert_int_eq(pairs[1].called, 0);
	ck_assert_int_eq(pairs[2].what, EV_WRITE);
	want(&pairs[0], EV_READ | EV_WRITE);
	want(&pairs[2], 0);
	turn();
	ck_assert_int_eq(pairs[0].what, EV_READ | EV_WRITE);
	ck_assert_int_eq(pairs[2].called, 1);
}
END_TEST

START_TEST(what_is_not_done_is_told_again)
{
	ck_assert_int_eq(write(pairs[0].theirs, "x", 1), 1);
	want(&pairs[0], EV_READ);
	turn();
	turn();
	ck_assert_int_eq(pairs[0].called, 2);
}
END_TEST

START_TEST(all_are_told_in_the_end)
{
	for (int i = 0; i < PAIRS; i++)
		want(&pairs[i], EV_WRITE);
	turn();
	turn();
	for (int i = 0; i < PAIRS; i++)
		ck_assert_int_ge(pairs[i].called, 1);
}
END_TEST

/* Whichever comes first: the other may be freed by then. */
START_TEST(who_wants_nothing_any_more_is_not_called_with_the_rest)
{
	pairs[0].forget = &pairs[1];
	pairs[1].forget = &pairs[0];
	want(&pairs[0], EV_WRITE);
	want(&pairs[1], EV_WRITE);
	turn();
	ck_assert_int_eq(pairs[0].called + pairs[1].called, 1);
}
END_TEST

START_TEST(who_forgets_itself_is_not_called_again)
{
	pairs[0].forget = &pairs[0];
	want(&pairs[0], EV_WRITE);
	turn();
	turn();
	ck_assert_int_eq(pairs[0].called, 1);
}
END_TEST

START_TEST(an_end_is_told_as_both)
{
	close(pairs[0].theirs);
	pairs[0].theirs = -1;
	want(&pairs[0], EV_READ);
	turn();
	ck_assert_int_eq(pairs[0].what, EV_READ | EV_WRITE);
}
END_TEST

START_TEST(a_side_that_is_shut_down_is_told_to_who_asks)
{
	want(&pairs[0], EV_CLOSED);
	want(&pairs[1], EV_CLOSED | EV_READ);
	ck_assert_int_eq(write(pairs[0].theirs, "x", 1), 1);
	ck_assert_int_eq(poller_run(poller), 0);
	ck_assert_int_eq(shutdown(pairs[0].theirs, SHUT_WR), 0);
	ck_assert_int_eq(shutdown(pairs[1].theirs, SHUT_WR), 0);
	ck_assert_int_eq(poller_run(poller), 2);
	ck_assert_int_eq(pairs[0].what, EV_CLOSED);
	ck_assert_int_eq(pairs[1].what, EV_CLOSED | EV_READ);
}
END_TEST

START_TEST(what_cannot_be_watched_changes_nothing)
{
	int	 fd = open("/dev/null", O_RDWR);
	uint8_t	 have = 0;

	ck_assert_int_eq(poller_want(poller, fd, &have, EV_READ, &fd), -1);
	ck_assert_int_eq(have, 0);
	close(fd);
}
END_TEST

START_TEST(it_runs_without_the_loop)
{
	ck_assert_int_eq(poller_run(poller), 0);
	want(&pairs[0], EV_WRITE);
	want(&pairs[1], EV_WRITE);
	ck_assert_int_eq(poller_run(poller), 2);
	ck_assert_int_eq(pairs[0].called, 1);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("poller");
	TCase	*tc = tcase_create("poller");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, only_what_is_wanted_is_told);
	tcase_add_test(tc, what_is_not_done_is_told_again);
	tcase_add_test(tc, all_are_told_in_the_end);
	tcase_add_test(tc,
	    who_wants_nothing_any_more_is_not_called_with_the_rest);
	tcase_add_test(tc, a_side_that_is_shut_down_is_told_to_who_asks);
	tcase_add_test(tc, who_forgets_itself_is_not_called_again);
	tcase_add_test(tc, an_end_is_told_as_both);
	tcase_add_test(tc, what_cannot_be_watched_changes_nothing);
	tcase_add_test(tc, it_runs_without_the_loop);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
