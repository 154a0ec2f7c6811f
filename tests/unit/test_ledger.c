#include <sys/mman.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gatewayd/ledger.h"
#include "gatewayd/pulse.h"
#include "proto/counters.h"
#include "proto/page.h"

static struct ledger	*ledger;
static uint64_t		 last;

/* A shard, as the gateway knows it. */
struct peer {
	struct pulse	 pulse;
	struct page	*page;
	struct counters	*counts;
};

static void
peer_start(struct peer *p, const char *app)
{
	int	 fd;

	ck_assert_ptr_nonnull(p->page = page_new(++last, &fd));
	p->counts = page_counters(p->page);
	memcpy(p->counts->apps[0].name, app, strlen(app));
	pulse_init(&p->pulse);
	ck_assert_int_eq(pulse_begin(&p->pulse, fd, last), 0);
}

static void
peer_end(struct peer *p)
{
	pulse_end(&p->pulse);
	munmap(p->page, PAGE_BYTES);
}

static void
begin(void)
{
	ck_assert_ptr_nonnull(ledger = ledger_new());
}

static void
end(void)
{
	ledger_free(ledger);
}

START_TEST(the_dead_are_added_to_the_living)
{
	struct peer	 p;

	for (unsigned i = 1; i <= 5; i++) {
		peer_start(&p, "chat");
		ledger_begin(ledger, 3, &p.pulse, 1);
		p.counts->cells[COUNTER_LINK_LOST] = 10;
		p.counts->apps[0].cells[COUNTER_APP_BYTES_IN] = 7;
		ledger_look(ledger, 3, &p.pulse);
		ck_assert_uint_eq(ledger_sum(ledger, COUNTER_LINK_LOST),
		    10 * i);
		/* What it counted last is not lost. */
		p.counts->apps[0].cells[COUNTER_APP_BYTES_IN] = 8;
		ledger_end(ledger, 3, &p.pulse);
		ck_assert_uint_eq(ledger_sum(ledger, COUNTER_LINK_LOST),
		    10 * i);
		ck_assert_uint_eq(ledger_napps(ledger), 1);
		ck_assert_str_eq(ledger_app(ledger, 0), "chat");
		ck_assert_uint_eq(ledger_app_sum(ledger, 0,
		    COUNTER_APP_BYTES_IN), 8 * i);
		peer_end(&p);
	}
}
END_TEST

START_TEST(who_is_found_counts_from_then_on)
{
	struct peer	 p;

	peer_start(&p, "chat");
	p.counts->cells[COUNTER_LINK_LOST] = 1000;
	p.counts->apps[0].cells[COUNTER_APP_OPENED] = 50;
	ledger_begin(ledger, 0, &p.pulse, 0);
	ck_assert_uint_eq(ledger_sum(ledger, COUNTER_LINK_LOST), 0);
	p.counts->cells[COUNTER_LINK_LOST] += 2;
	p.counts->apps[0].cells[COUNTER_APP_OPENED] += 3;
	/* Saying hello again changes nothing. */
	ledger_begin(ledger, 0, &p.pulse, 0);
	ledger_look(ledger, 0, &p.pulse);
	ck_assert_uint_eq(ledger_sum(ledger, COUNTER_LINK_LOST), 2);
	ck_assert_uint_eq(ledger_app_sum(ledger, 0, COUNTER_APP_OPENED), 3);
	ledger_end(ledger, 0, &p.pulse);
	ck_assert_uint_eq(ledger_sum(ledger, COUNTER_LINK_LOST), 2);
	peer_end(&p);
}
END_TEST

START_TEST(no_sum_falls_whatever_a_shard_writes)
{
	const uint64_t	 lies[] = { 5, 0, UINT64_MAX, 1, UINT64_MAX / 2, 6,
			    UINT64_C(1) << 61, 2 };
	uint64_t	 before = 0, now;
	struct peer	 p;

	for (unsigned round = 0; round < 3; round++) {
		peer_start(&p, "chat");
		ledger_begin(ledger, 1, &p.pulse, 1);
		for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
			p.counts->cells[COUNTER_LINK_LOST] = lies[i];
			ledger_look(ledger, 1, &p.pulse);
			now = ledger_sum(ledger, COUNTER_LINK_LOST);
			ck_assert_uint_ge(now, before);
			before = now;
		}
		ledger_end(ledger, 1, &p.pulse);
		ck_assert_uint_ge(ledger_sum(ledger, COUNTER_LINK_LOST),
		    before);
		peer_end(&p);
	}
	ck_assert_uint_eq(before, 18);
}
END_TEST

START_TEST(the_largest_lies_of_all_do_not_overflow)
{
	uint64_t	 before = 0, now;
	struct peer	 p;

	for (uint32_t i = 0; i < 40; i++) {
		peer_start(&p, "chat");
		ledger_begin(ledger, i, &p.pulse, 1);
		p.counts->cells[COUNTER_STEPS] = (UINT64_C(1) << 60) - 1;
		ledger_look(ledger, i, &p.pulse);
		if (i % 2 == 0)
			ledger_end(ledger, i, &p.pulse);
		now = ledger_sum(ledger, COUNTER_STEPS);
		ck_assert_uint_ge(now, before);
		before = now;
		peer_end(&p);
	}
}
END_TEST

START_TEST(gauges_are_what_is_said_now)
{
	struct peer	 p;

	peer_start(&p, "chat");
	ledger_begin(ledger, 2, &p.pulse, 1);
	p.counts->cells[COUNTER_QUEUED] = 100;
	ledger_look(ledger, 2, &p.pulse);
	ck_assert_uint_eq(ledger_gauge(ledger, 2, COUNTER_QUEUED), 100);
	p.counts->cells[COUNTER_QUEUED] = 40;
	ledger_look(ledger, 2, &p.pulse);
	ck_assert_uint_eq(ledger_gauge(ledger, 2, COUNTER_QUEUED), 40);
	ledger_end(ledger, 2, &p.pulse);
	ck_assert_uint_eq(ledger_gauge(ledger, 2, COUNTER_QUEUED), 0);
	ck_assert_uint_eq(ledger_gauge(ledger, 9, COUNTER_QUEUED), 0);
	peer_end(&p);
}
END_TEST

START_TEST(names_are_bounded_in_number_and_in_what_they_hold)
{
	struct peer	 p;
	char		 name[16];

	for (unsigned i = 0; i < 3 * LEDGER_APPS; i++) {
		snprintf(name, sizeof(name), "app-%u", i);
		peer_start(&p, i % 3 == 2 ? "a\"}\n" : name);
		ledger_begin(ledger, 0, &p.pulse, 1);
		p.counts->apps[0].cells[COUNTER_APP_OPENED] = 1;
		ledger_end(ledger, 0, &p.pulse);
		peer_end(&p);
	}
	ck_assert_uint_eq(ledger_napps(ledger), LEDGER_APPS);
	ck_assert_str_eq(ledger_app(ledger, LEDGER_APPS - 1), "other");
	ck_assert_uint_eq(ledger_app_sum(ledger, LEDGER_APPS - 1,
	    COUNTER_APP_OPENED), 2 * LEDGER_APPS - (LEDGER_APPS - 1));
	for (size_t i = 0; i < LEDGER_APPS; i++)
		ck_assert_ptr_null(strpbrk(ledger_app(ledger, i), "\"\\\n"));
}
END_TEST

START_TEST(who_has_no_page_counts_nothing)
{
	struct pulse	 p;

	pulse_init(&p);
	ck_assert_int_eq(pulse_begin(&p, -1, 5), 0);
	ledger_begin(ledger, 0, &p, 1);
	ledger_look(ledger, 0, &p);
	ledger_end(ledger, 0, &p);
	ck_assert_uint_eq(ledger_sum(ledger, COUNTER_STEPS), 0);
}
END_TEST

START_TEST(what_an_older_shard_does_not_have_is_zero)
{
	struct peer	 p;

	peer_start(&p, "chat");
	p.counts->cells[COUNTER_QUEUED] = 3;
	p.counts->cells[COUNTER_STEPS] = 4;
	p.page->head.counters_size = 8;		/* one cell */
	ledger_begin(ledger, 0, &p.pulse, 1);
	ledger_look(ledger, 0, &p.pulse);
	ck_assert_uint_eq(ledger_gauge(ledger, 0, COUNTER_QUEUED), 3);
	ck_assert_uint_eq(ledger_sum(ledger, COUNTER_STEPS), 0);
	ck_assert_uint_eq(ledger_napps(ledger), 0);
	p.page->head.counters_size = UINT32_MAX;
	ledger_look(ledger, 0, &p.pulse);
	ck_assert_uint_eq(ledger_sum(ledger, COUNTER_STEPS), 4);
	peer_end(&p);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("ledger");
	TCase	*t = tcase_create("ledger");
	SRunner	*r = srunner_create(s);
	int	 failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, the_dead_are_added_to_the_living);
	tcase_add_test(t, who_is_found_counts_from_then_on);
	tcase_add_test(t, no_sum_falls_whatever_a_shard_writes);
	tcase_add_test(t, the_largest_lies_of_all_do_not_overflow);
	tcase_add_test(t, gauges_are_what_is_said_now);
	tcase_add_test(t, names_are_bounded_in_number_and_in_what_they_hold);
	tcase_add_test(t, who_has_no_page_counts_nothing);
	tcase_add_test(t, what_an_older_shard_does_not_have_is_zero);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
