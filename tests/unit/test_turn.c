#include <check.h>
#include <string.h>

#include <event2/event.h>

#include "common/turn.h"

static char		 order[64];
static struct turn_work	 works[4];
static struct event_base *base;

static void
note(void *arg)
{
	strncat(order, arg, 1);
}

static void
note_and_add(void *arg)
{
	note(arg);
	turn_add(&works[0], TURN_CLIENTS);
}

static void
note_and_cancel(void *arg)
{
	note(arg);
	turn_cancel(&works[3]);
}

static void
note_and_stop(void *arg)
{
	note(arg);
	turn_stop();
}

static char	 a[] = "a", b[] = "b", c[] = "c", d[] = "d";

START_TEST(work_runs_once_in_order_of_rank)
{
	turn_work_init(&works[0], note, a);
	turn_work_init(&works[1], note, b);
	turn_work_init(&works[2], note, c);
	turn_work_init(&works[3], note, d);
	turn_add(&works[3], TURN_LAST);
	turn_add(&works[2], TURN_CONTROL);
	turn_add(&works[1], TURN_LINKS);
	turn_add(&works[0], TURN_CLIENTS);
	turn_add(&works[2], TURN_CLIENTS);	/* queued already */
	turn_end();
	turn_end();
	ck_assert_str_eq(order, "abcd");
}
END_TEST

START_TEST(work_queued_by_work_runs_in_the_same_end_earlier_ranks_first)
{
	turn_work_init(&works[0], note, a);
	turn_work_init(&works[1], note_and_add, b);
	turn_work_init(&works[2], note, c);
	turn_add(&works[1], TURN_LINKS);
	turn_add(&works[2], TURN_LAST);
	turn_end();
	ck_assert_str_eq(order, "bac");
}
END_TEST

START_TEST(cancelled_work_does_not_run_and_may_be_added_again)
{
	turn_work_init(&works[2], note_and_cancel, c);
	turn_work_init(&works[3], note, d);
	turn_cancel(&works[3]);
	turn_add(&works[3], TURN_LAST);
	turn_add(&works[2], TURN_CONTROL);
	turn_end();
	ck_assert_str_eq(order, "c");
	turn_add(&works[3], TURN_LAST);
	turn_end();
	ck_assert_str_eq(order, "cd");
}
END_TEST

static void
event_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	note(arg);
	turn_add(&works[1], TURN_LAST);
}

START_TEST(the_loop_runs_callbacks_then_work_until_it_is_stopped)
{
	struct event	*first, *second;

	base = event_base_new();
	first = event_new(base, -1, 0, event_cb, a);
	second = event_new(base, -1, 0, event_cb, c);
	turn_work_init(&works[1], note_and_stop, b);
	event_active(first, EV_TIMEOUT, 0);
	event_active(second, EV_TIMEOUT, 0);
	ck_assert_int_eq(turn_loop(base), 0);
	ck_assert_str_eq(order, "acb");
	event_free(first);
	event_free(second);
	event_base_free(base);
}
END_TEST

static int		 tries, found, turns, last;
static struct event	*again;

static int
try_cb(void *arg)
{
	(void)arg;
	tries++;
	return (found);
}

static void
again_cb(evutil_socket_t fd, short what, void *arg)
{
	struct timeval	 now = { 0, 0 };

	(void)fd, (void)what, (void)arg;
	if (++turns == last)
		turn_stop();
	else
		event_add(again, &now);
}

static void
loop_eagerly(int n)
{
	struct timeval	 now = { 0, 0 };

	tries = turns = 0;
	last = n;
	base = event_base_new();
	again = event_new(base, -1, 0, again_cb, NULL);
	event_add(again, &now);
	turn_set_eager(try_cb, NULL);
	ck_assert_int_eq(turn_loop(base), 0);
	turn_set_eager(NULL, NULL);
	event_free(again);
	event_base_free(base);
}

START_TEST(the_eager_are_tried_first_and_leave_turns_to_the_loop)
{
	found = 1;
	loop_eagerly(100);
	ck_assert_int_eq(tries, 400);
}
END_TEST

START_TEST(who_is_eager_in_vain_is_tried_rarely)
{
	found = 0;
	loop_eagerly(1000);
	ck_assert_int_ge(tries, 10);
	ck_assert_int_le(tries, 30);
}
END_TEST

static int	 left[2];

/* One piece of its work; the rest is for other turns. */
static void
piecemeal(void *arg)
{
	int	*n = arg;

	strncat(order, n == &left[0] ? "x" : "y", 2);
	if (--*n > 0)
		turn_later(&works[n - left]);
}

START_TEST(what_is_put_off_goes_on_piece_by_piece_while_the_loop_does)
{
	struct timeval	 now = { 0, 0 };

	for (int i = 0; i < 2; i++) {
		left[i] = 3;
		turn_work_init(&works[i], piecemeal, &left[i]);
		turn_later(&works[i]);
		turn_later(&works[i]);		/* queued already */
	}
	turn_end();
	ck_assert_str_eq(order, "");		/* not in this turn */
	turns = 0;
	last = 6;
	base = event_base_new();
	again = event_new(base, -1, 0, again_cb, NULL);
	event_add(again, &now);
	ck_assert_int_eq(turn_loop(base), 0);
	ck_assert_str_eq(order, "xyxyxy");
	event_free(again);
	event_base_free(base);
}
END_TEST

START_TEST(what_is_put_off_is_brought_forward_or_cancelled)
{
	left[0] = left[1] = 1;
	for (int i = 0; i < 2; i++) {
		turn_work_init(&works[i], piecemeal, &left[i]);
		turn_later(&works[i]);
	}
	turn_add(&works[1], TURN_LAST);
	turn_cancel(&works[0]);
	turn_end();
	ck_assert_str_eq(order, "y");
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("turn");
	TCase	*t = tcase_create("turn");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, work_runs_once_in_order_of_rank);
	tcase_add_test(t,
	    work_queued_by_work_runs_in_the_same_end_earlier_ranks_first);
	tcase_add_test(t, cancelled_work_does_not_run_and_may_be_added_again);
	tcase_add_test(t,
	    the_loop_runs_callbacks_then_work_until_it_is_stopped);
	tcase_add_test(t, the_eager_are_tried_first_and_leave_turns_to_the_loop);
	tcase_add_test(t, who_is_eager_in_vain_is_tried_rarely);
	tcase_add_test(t,
	    what_is_put_off_goes_on_piece_by_piece_while_the_loop_does);
	tcase_add_test(t, what_is_put_off_is_brought_forward_or_cancelled);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
