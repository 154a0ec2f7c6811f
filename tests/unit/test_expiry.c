/* Keys whose time ends. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "proto/limits.h"
#include "proto/news.h"
#include "shardd/state/decide.h"
#include "shardd/state/expiry.h"

static struct maps	 state, batch;
static struct kennel_step t;

static void
setup(void)
{
	memset(&state, 0, sizeof(state));
	memset(&batch, 0, sizeof(batch));
}

static void
teardown(void)
{
	maps_clear(&state);
	maps_clear(&batch);
}

static void
begin(void)
{
	decide_begin(&t, &state, &batch, NEWS_CHANGES_MAX, 1 << 20);
}

/* The step takes effect in the state. */
static void
take_effect(void)
{
	struct buf		 b = { 0 };
	struct news_change	 c;
	struct news_step	 s;
	struct news		 n;

	news_begin(&b, 1, 1);
	news_add_step(&b, 1, 1, 0, slice_of(NULL, 0), t.nchanges);
	if (t.changes.len > 0)
		buf_add(&b, t.changes.data, t.changes.len);
	ck_assert_int_eq(news_open(&n, b.data, b.len), 0);
	while (news_step(&n, &s))
		while (news_change(&s, &c))
			ck_assert_int_eq(maps_put(&state, c.map, c.key,
			    c.value), 0);
	buf_clear(&b);
	decide_end(&t);
}

static int
put(const char *map, const char *key, const char *value, uint64_t ms)
{
	return (expiry_put(&t, slice_str(map), slice_str(key), value == NULL ?
	    slice_of(NULL, 0) : slice_str(value), ms));
}

static int
has(const char *map, const char *key)
{
	return (maps_get(&state, slice_str(map), slice_str(key)).data != NULL);
}

START_TEST(a_key_lives_until_its_time)
{
	uint64_t	 now = clock_wall_ms(), first;
	size_t		 n;

	begin();
	ck_assert_int_eq(put("m", "a", "1", 1000), 0);
	ck_assert_int_eq(put("m", "b", "2", 0), 0);
	ck_assert_int_eq(put("~v", "c", "3", 2000), 0);
	ck_assert_int_eq(put("m", "", "4", 5000), 0);
	take_effect();
	ck_assert(expiry_any(&state));
	first = expiry_first(&state, 1, &n);
	ck_assert_uint_eq(n, 3);
	ck_assert(first >= now + 1000 && first < now + 60000);
	ck_assert_uint_gt(expiry_first(&state, 0, &n), first);
	ck_assert_uint_eq(n, 1);
	begin();
	ck_assert_int_eq(expiry_decide(&t, first - 1, 1), 0);
	ck_assert_uint_eq(t.nchanges, 0);
	decide_end(&t);
	begin();
	ck_assert_int_eq(expiry_decide(&t, first, 1), 0);
	ck_assert_uint_eq(t.nchanges, 2);
	ck_assert_int_eq(t.passing, 1);
	ck_assert_int_eq(t.durable, 1);
	take_effect();
	ck_assert(!has("m", "a") && has("m", "b") && has("~v", "c"));
	/* What is only in memory ends without Redis, too. */
	begin();
	ck_assert_int_eq(expiry_decide(&t, UINT64_MAX, 0), 0);
	ck_assert_int_eq(t.durable, 0);
	take_effect();
	ck_assert(!has("~v", "c") && has("m", ""));
	begin();
	ck_assert_int_eq(expiry_decide(&t, UINT64_MAX, 1), 0);
	take_effect();
	ck_assert(!has("m", "") && has("m", "b"));
	ck_assert(!expiry_any(&state));
	ck_assert_uint_eq(expiry_first(&state, 1, &n), 0);
}
END_TEST

START_TEST(writing_again_forgets_the_time_or_gives_another)
{
	size_t	 n;

	begin();
	put("m", "a", "1", 1000);
	put("m", "b", "1", 1000);
	put("m", "c", "1", 1000);
	put("m", "c", "2", 0);
	take_effect();
	expiry_first(&state, 1, &n);
	ck_assert_uint_eq(n, 2);
	begin();
	put("m", "a", "2", 0);
	put("m", "b", NULL, 1000);
	put("m", "d", NULL, 0);
	take_effect();
	ck_assert(has("m", "a") && !has("m", "b"));
	ck_assert(!expiry_any(&state));
	begin();
	put("m", "a", "3", 1);
	take_effect();
	begin();
	put("m", "a", "4", 1000000);
	take_effect();
	ck_assert_uint_gt(expiry_first(&state, 1, &n), clock_wall_ms() + 1000);
	ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(the_earliest_ends_first)
{
	static const char	*const names[] = { "c", "a", "d", "b" };
	char			 name[8], when[8];
	struct news_change	 c;
	struct news_step	 s;
	struct news		 n;
	struct buf		 b = { 0 };
	int			 i = 0;

	begin();
	for (size_t k = 0; k < 4; k++) {
		ck_assert_int_eq(put("m", names[k], "v", 1000000), 0);
	}
	take_effect();
	for (size_t k = 0; k < 4; k++) {
		snprintf(name, sizeof(name), "m%c%s", 0, names[k]);
		name[2] = names[k][0];
		snprintf(when, sizeof(when), "%d", 10 + names[k][0]);
		ck_assert_int_eq(maps_put(&state, slice_str(".ttl"), slice_of(
		    name, 3), slice_str(when)), 0);
	}
	begin();
	ck_assert_int_eq(expiry_decide(&t, 1000, 1), 0);
	news_begin(&b, 1, 1);
	news_add_step(&b, 0, 0, 0, slice_of(NULL, 0), t.nchanges);
	buf_add(&b, t.changes.data, t.changes.len);
	ck_assert_int_eq(news_open(&n, b.data, b.len), 0);
	ck_assert_int_eq(news_step(&n, &s), 1);
	while (news_change(&s, &c))
		if (!expiry_is_map(c.map))
			ck_assert_int_eq(c.key.data[0], 'a' + i++);
	ck_assert_int_eq(i, 4);
	buf_clear(&b);
	decide_end(&t);
}
END_TEST

START_TEST(very_many_end_in_several_steps)
{
	char	 key[16];
	int	 rounds = 0, err;
	size_t	 n;

	for (int i = 0; i < 4; i++) {
		begin();
		for (int k = 0; k < 600; k++) {
			snprintf(key, sizeof(key), "%d", i * 600 + k);
			ck_assert_int_eq(put(k % 2 ? "m" : "~m", key, "v", 1), 0);
		}
		ck_assert_int_eq(t.err, 0);
		take_effect();
	}
	do {
		begin();
		err = expiry_decide(&t, UINT64_MAX, 1);
		ck_assert(err == 0 || (err == EAGAIN && t.nchanges > 0));
		ck_assert_int_eq(t.err, 0);
		ck_assert_uint_le(t.nchanges, NEWS_CHANGES_MAX);
		take_effect();
	} while (++rounds < 100 && err == EAGAIN);
	ck_assert_int_gt(rounds, 2);
	ck_assert_int_lt(rounds, 20);
	expiry_first(&state, 1, &n);
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(state.by_name.count, 0);
}
END_TEST

START_TEST(names_that_cannot_be_and_times_that_are_none)
{
	char	*key = malloc(MAPS_KEY_MAX);

	memset(key, 'k', MAPS_KEY_MAX);
	begin();
	errno = 0;
	ck_assert_int_eq(expiry_put(&t, slice_str("m"), slice_of(key,
	    MAPS_KEY_MAX - 1), slice_str("v"), 1), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	decide_end(&t);
	begin();
	ck_assert_int_eq(expiry_put(&t, slice_str("m"), slice_of(key,
	    MAPS_KEY_MAX - 2), slice_str("v"), 1), 0);
	ck_assert_int_eq(expiry_put(&t, slice_str("m"), slice_of(key,
	    MAPS_KEY_MAX), slice_str("v"), 0), 0);
	take_effect();
	for (int i = 0; i < 3; i++) {
		static const char *const ours[] = { ".ttl", "~.ttl", "~.x" };

		begin();
		ck_assert_int_eq(put(ours[i], "k", "v", 0), -1);
		ck_assert_int_eq(errno, EINVAL);
		ck_assert_int_eq(put(ours[i], "k", "v", 1), -1);
		decide_end(&t);
	}
	/* Whatever somebody has written into Redis there ends at once. */
	maps_put(&state, slice_str(".ttl"), slice_str("no NUL"),
	    slice_str("soon"));
	begin();
	ck_assert_int_eq(expiry_decide(&t, 1, 1), 0);
	take_effect();
	ck_assert_ptr_null(maps_get(&state, slice_str(".ttl"),
	    slice_str("no NUL")).data);
	free(key);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("expiry");
	TCase	*c = tcase_create("expiry");
	SRunner	*sr;
	int	 failed;

	tcase_set_timeout(c, 60);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, a_key_lives_until_its_time);
	tcase_add_test(c, writing_again_forgets_the_time_or_gives_another);
	tcase_add_test(c, the_earliest_ends_first);
	tcase_add_test(c, very_many_end_in_several_steps);
	tcase_add_test(c, names_that_cannot_be_and_times_that_are_none);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
