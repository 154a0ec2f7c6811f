#include <sys/mman.h>

#include <check.h>
#include <errno.h>
#include <unistd.h>

#include "gatewayd/pulse.h"
#include "proto/page.h"

#define INCARNATION	77
#define LATE		10000

static struct pulse	 pulse;
static struct page	*page;

static void
begin(void)
{
	int	 fd;

	pulse_init(&pulse);
	ck_assert_ptr_nonnull(page = page_new(INCARNATION, &fd));
	ck_assert_int_eq(pulse_begin(&pulse, fd, INCARNATION), 0);
}

static void
end(void)
{
	pulse_end(&pulse);
	munmap(page, PAGE_BYTES);
}

START_TEST(who_answers_is_not_suspected)
{
	uint64_t	 id = pulse_ask(&pulse, 1000), next;

	ck_assert_int_eq(pulse_feel(&pulse, 1400, LATE), PULSE_AWAITED);
	next = pulse_ask(&pulse, 1500);
	ck_assert(!pulse_heard(&pulse, id, 1600));	/* not the last */
	ck_assert(pulse_heard(&pulse, next, 1700));
	ck_assert_int_eq(pulse_feel(&pulse, 99999, LATE), PULSE_ANSWERED);
}
END_TEST

START_TEST(who_neither_answers_nor_gets_on_hangs)
{
	page->work.turns = 5;
	pulse_ask(&pulse, 1000);
	ck_assert_int_eq(pulse_feel(&pulse, 3499, LATE), PULSE_AWAITED);
	ck_assert_int_eq(pulse_feel(&pulse, 3500, LATE), PULSE_DOUBTFUL);
	ck_assert_int_eq(pulse_feel(&pulse, 10999, LATE), PULSE_DOUBTFUL);
	ck_assert_int_eq(pulse_feel(&pulse, 11000, LATE), PULSE_HUNG);
}
END_TEST

START_TEST(who_gets_on_is_busy_but_not_for_ever)
{
	uint64_t	 now;

	pulse_ask(&pulse, 1000);
	for (now = 4000; now < 1000 + PULSE_BUSY * LATE; now += LATE / 2) {
		page->work.turns++;
		ck_assert_int_eq(pulse_feel(&pulse, now, LATE),
		    PULSE_DOUBTFUL);
	}
	page->work.turns++;
	ck_assert_int_eq(pulse_feel(&pulse, now, LATE), PULSE_ENDLESS);
}
END_TEST

START_TEST(who_stops_amid_its_work_hangs_from_then_on)
{
	pulse_ask(&pulse, 1000);
	page->work.turns = 1;
	ck_assert_int_eq(pulse_feel(&pulse, 6000, LATE), PULSE_DOUBTFUL);
	ck_assert(pulse_moved(&pulse, 5999, 7000));
	ck_assert(!pulse_moved(&pulse, 6000, 7000));
	ck_assert_int_eq(pulse_feel(&pulse, 15999, LATE), PULSE_DOUBTFUL);
	ck_assert_int_eq(pulse_feel(&pulse, 16000, LATE), PULSE_HUNG);
}
END_TEST

START_TEST(who_may_not_have_been_read_is_excused)
{
	pulse_ask(&pulse, 1000);
	pulse_excuse(&pulse, 50000);
	ck_assert_int_eq(pulse_feel(&pulse, 50001, LATE), PULSE_AWAITED);
	ck_assert_int_eq(pulse_feel(&pulse, 60000, LATE), PULSE_HUNG);
}
END_TEST

START_TEST(without_a_page_only_answers_count)
{
	struct page_work	 w;
	int			 fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	close(fds[1]);
	ck_assert_int_eq(pulse_begin(&pulse, fds[0], INCARNATION), -1);
	ck_assert_int_eq(errno, EPROTO);
	ck_assert_int_eq(pulse_work(&pulse, &w), -1);
	pulse_ask(&pulse, 1000);
	page->work.turns++;
	ck_assert(!pulse_moved(&pulse, 0, 2000));
	ck_assert_int_eq(pulse_feel(&pulse, 11000, LATE), PULSE_HUNG);
}
END_TEST

START_TEST(a_page_of_somebody_else_is_refused)
{
	int	 fd = dup(pulse.fd);

	ck_assert_int_eq(pulse_begin(&pulse, fd, INCARNATION + 1), -1);
	ck_assert_int_eq(errno, EPROTO);
}
END_TEST

/* Its owner may write anything at any time: no pulse comes of it, and no signal. */
START_TEST(a_page_that_turns_bad_is_no_sign_of_life)
{
	struct page_work	 w;

	pulse_ask(&pulse, 1000);
	page->work.turns++;
	page->work.what = UINT32_MAX;
	ck_assert_int_eq(pulse_work(&pulse, &w), -1);
	ck_assert_int_eq(pulse_feel(&pulse, 11000, LATE), PULSE_HUNG);
	page->work.what = PAGE_NOTHING;
	page->head.magic = 0;
	ck_assert_int_eq(pulse_work(&pulse, &w), -1);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("pulse");
	TCase	*t = tcase_create("pulse");
	SRunner	*r = srunner_create(s);
	int	 failed;

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, who_answers_is_not_suspected);
	tcase_add_test(t, who_neither_answers_nor_gets_on_hangs);
	tcase_add_test(t, who_gets_on_is_busy_but_not_for_ever);
	tcase_add_test(t, who_stops_amid_its_work_hangs_from_then_on);
	tcase_add_test(t, who_may_not_have_been_read_is_excused);
	tcase_add_test(t, without_a_page_only_answers_count);
	tcase_add_test(t, a_page_of_somebody_else_is_refused);
	tcase_add_test(t, a_page_that_turns_bad_is_no_sign_of_life);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed == 0 ? 0 : 1);
}
