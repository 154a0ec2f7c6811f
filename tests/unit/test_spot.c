/* Where new replicas begin. */
#include <stdio.h>
#include <string.h>

#include <check.h>

#include "gatewayd/placement.h"
#include "gatewayd/verify.h"

#define SITES	6

static struct placement	*p;
static struct site	*sites[SITES];
static uint64_t		 next_id;

static void
setup(void)
{
	p = placement_new(7, NULL, NULL);
	ck_assert_ptr_nonnull(p);
	next_id = 1;
	for (uint32_t i = 0; i < SITES; i++) {
		sites[i] = placement_site_add(p, i, 1000 + i, 100, &sites[i]);
		ck_assert_ptr_nonnull(sites[i]);
	}
}

static void
teardown(void)
{
	ck_assert_int_eq(verify_placement(p), 0);
	placement_free(p);
}

/* The slot where a connection is placed, which is what was foreseen. */
static unsigned
slot(const char *group, const char *uid, enum spot_rule rule)
{
	struct placement_ask	 ask = {
		.id = next_id++, .uid = slice_str(uid), .app = slice_str("a"),
		.limit = 1, .place = rule,
		.group = group == NULL ? slice_of(NULL, 0) : slice_str(group),
	};
	struct placement_forecast f;
	struct place		*place;

	placement_foresee(p, &ask, &f);
	ck_assert_int_eq(placement_take(p, &ask, &place), PLACED);
	ck_assert_ptr_eq(f.site, place_site(place));
	return (place_site(place)->slot);
}

START_TEST(each_rule_has_a_name)
{
	enum spot_rule	 rule;

	for (unsigned i = 0; i < SPOT_NRULES; i++) {
		ck_assert_int_eq(spot_parse(spot_name((enum spot_rule)i),
		    &rule), 0);
		ck_assert_uint_eq(rule, i);
		ck_assert_ptr_nonnull(strstr(spot_words(rule), "at the shard"));
	}
	ck_assert_int_eq(spot_parse("most", &rule), -1);
	ck_assert_int_eq(spot_parse("", &rule), -1);
}
END_TEST

START_TEST(least_goes_by_connections_and_spread_by_replicas)
{
	/* Site 0 has three connections and no replica, site 1 two replicas. */
	sites[2]->usable = sites[3]->usable = sites[4]->usable =
	    sites[5]->usable = sites[1]->usable = 0;
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(slot(NULL, "u", SPOT_LEAST), 0);
	sites[0]->usable = 0;
	sites[1]->usable = 1;
	slot("x", "u", SPOT_LEAST);
	slot("y", "u", SPOT_LEAST);
	sites[0]->usable = 1;
	ck_assert_uint_eq(slot("g", "u", SPOT_LEAST), 1);
	ck_assert_uint_eq(slot("h", "u", SPOT_SPREAD), 0);
	/* The group's own shards are none for another replica of it. */
	ck_assert_uint_eq(slot("h", "v", SPOT_SPREAD), 1);
}
END_TEST

START_TEST(pack_fills_one_shard_first)
{
	char	 name[16];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		ck_assert_uint_eq(slot(name, "u", SPOT_PACK), 0);
	}
	ck_assert_uint_eq(slot("full", "u", SPOT_PACK), 1);
	ck_assert_uint_eq(slot("full", "v", SPOT_PACK), 2);
	ck_assert_uint_eq(slot(NULL, "v", SPOT_PACK), 1);
}
END_TEST

START_TEST(hash_goes_by_name)
{
	unsigned	 seen[SITES] = { 0 }, moved = 0, where[200];
	char		 name[16];

	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		seen[where[i] = slot(name, "u", SPOT_HASH)]++;
	}
	for (size_t i = 0; i < SITES; i++)
		ck_assert_uint_gt(seen[i], 10);
	teardown();
	/* Again, with other things there, and one shard less. */
	setup();
	slot(NULL, "u", SPOT_PACK);
	sites[3]->leaving = 1;
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		moved += slot(name, "w", SPOT_HASH) != where[i];
	}
	ck_assert_uint_eq(moved, seen[3]);
	/* A second replica is elsewhere, and where it was last time, too. */
	ck_assert_uint_ne(slot("g0", "x", SPOT_HASH), where[0]);
	/* Without a group, by uid. */
	moved = slot(NULL, "ann", SPOT_HASH);
	for (int i = 0; i < 10; i++)
		ck_assert_uint_eq(slot(NULL, "ann", SPOT_HASH), moved);
}
END_TEST

START_TEST(who_has_room_in_a_replica_begins_none)
{
	struct placement_ask	 ask = {
		.id = 99999, .uid = slice_str("v"), .app = slice_str("a"),
		.limit = 2, .group = slice_str("g"),
	};
	struct place		*place;
	unsigned		 first = slot("g", "u", SPOT_HASH);

	ask.place = SPOT_PACK;
	ck_assert_int_eq(placement_take(p, &ask, &place), PLACED);
	ck_assert_uint_eq(place_site(place)->slot, first);
}
END_TEST

/* One more of group g, which allows 3 in each replica: where. */
static unsigned
even(const char *uid)
{
	struct placement_ask	 ask = {
		.id = next_id++, .uid = slice_str(uid), .app = slice_str("a"),
		.limit = 3, .group = slice_str("g"), .place = SPOT_EVEN,
	};
	struct placement_forecast f;
	struct place		*place;

	placement_foresee(p, &ask, &f);
	ck_assert_int_eq(placement_take(p, &ask, &place), PLACED);
	ck_assert_ptr_eq(f.site, place_site(place));
	return (place_site(place)->slot);
}

START_TEST(even_takes_all_shards_before_any_is_filled)
{
	unsigned	 seen[SITES] = { 0 };
	char		 uid[8];

	slot("other", "u", SPOT_HASH);
	for (unsigned i = 0; i < 3 * SITES; i++) {
		snprintf(uid, sizeof(uid), "u%u", i);
		seen[even(uid)]++;
		for (unsigned j = 0; j < SITES; j++) {
			ck_assert_uint_le(seen[j], i / SITES + 1);
			ck_assert_uint_ge(seen[j], (i + 1) / SITES);
		}
	}
}
END_TEST

START_TEST(even_brings_a_uid_to_where_it_is)
{
	unsigned	 first = even("u");

	ck_assert_uint_eq(even("u"), first);
	ck_assert_uint_ne(even("v"), first);
	ck_assert_uint_eq(even("u"), first);
	ck_assert_uint_ne(even("u"), first);	/* there it is full */
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("spot");
	TCase	*t = tcase_create("spot");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, each_rule_has_a_name);
	tcase_add_test(t, least_goes_by_connections_and_spread_by_replicas);
	tcase_add_test(t, pack_fills_one_shard_first);
	tcase_add_test(t, hash_goes_by_name);
	tcase_add_test(t, who_has_room_in_a_replica_begins_none);
	tcase_add_test(t, even_takes_all_shards_before_any_is_filled);
	tcase_add_test(t, even_brings_a_uid_to_where_it_is);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
