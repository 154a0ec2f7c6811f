#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "shardd/state/decide.h"

static struct maps		 state, batch;
static struct kennel_step	 t;

static void
setup(void)
{
	ck_assert_int_eq(maps_put(&state, slice_str("m"), slice_str("old"),
	    slice_str("state")), 0);
	ck_assert_int_eq(maps_put(&state, slice_str("m"), slice_str("both"),
	    slice_str("state")), 0);
	decide_begin(&t, &state, &batch, 100, 1 << 20);
}

static void
teardown(void)
{
	decide_end(&t);
	maps_clear(&state);
	maps_clear(&batch);
}

static void
is(const char *key, const char *want)
{
	struct slice	 v = decide_get(&t, slice_str("m"), slice_str(key));

	if (want == NULL)
		ck_assert_ptr_null(v.data);
	else
		ck_assert(slice_is(v, want));
}

static int
put(const char *key, const char *value)
{
	return (decide_put(&t, slice_str("m"), slice_str(key),
	    value == NULL ? slice_of(NULL, 0) : slice_str(value)));
}

/* The step takes effect in the batch, and another one begins. */
static void
next(void)
{
	ck_assert_int_eq(decide_accept(&t, &batch), 0);
	decide_end(&t);
	decide_begin(&t, &state, &batch, 100, 1 << 20);
}

static void
list_cb(struct slice key, struct slice value, void *arg)
{
	char	*all = arg;

	strncat(all, key.data, key.len);
	strcat(all, "=");
	strncat(all, value.data, value.len);
	strcat(all, ";");
}

START_TEST(a_step_sees_the_state_the_batch_and_itself)
{
	is("old", "state");
	is("new", NULL);
	ck_assert_int_eq(put("both", "batch"), 0);
	ck_assert_int_eq(put("new", ""), 0);
	is("both", "batch");
	is("new", "");
	next();
	is("both", "batch");
	is("new", "");
	ck_assert_int_eq(put("both", "own"), 0);
	is("both", "own");
	is("old", "state");
	ck_assert(slice_is(maps_get(&state, slice_str("m"),
	    slice_str("both")), "state"));
}
END_TEST

START_TEST(what_is_removed_is_not_seen_through)
{
	ck_assert_int_eq(put("old", NULL), 0);
	is("old", NULL);
	next();
	is("old", NULL);
	ck_assert_int_eq(put("old", "again"), 0);
	is("old", "again");
	ck_assert_int_eq(put("old", NULL), 0);
	is("old", NULL);
	next();
	is("old", NULL);
}
END_TEST

START_TEST(values_that_look_like_marks_are_values)
{
	static const char *const	 odd[] = { "-", "+", "-x", "+x", "" };

	for (size_t i = 0; i < nitems(odd); i++) {
		ck_assert_int_eq(put("k", odd[i]), 0);
		is("k", odd[i]);
		next();
		is("k", odd[i]);
	}
}
END_TEST

START_TEST(keys_are_counted_and_walked_once)
{
	char	 all[256] = "";

	ck_assert_uint_eq(decide_count(&t, slice_str("m")), 2);
	ck_assert_int_eq(put("both", "batch"), 0);
	ck_assert_int_eq(put("new", "batch"), 0);
	ck_assert_int_eq(put("gone", "batch"), 0);
	next();
	ck_assert_uint_eq(decide_count(&t, slice_str("m")), 4);
	ck_assert_int_eq(put("both", "own"), 0);
	ck_assert_int_eq(put("gone", NULL), 0);
	ck_assert_int_eq(put("old", NULL), 0);
	ck_assert_uint_eq(decide_count(&t, slice_str("m")), 2);
	decide_each(&t, slice_str("m"), list_cb, all);
	ck_assert(strcmp(all, "both=own;new=batch;") == 0 ||
	    strcmp(all, "new=batch;both=own;") == 0);
	ck_assert_uint_eq(decide_count(&t, slice_str("none")), 0);
}
END_TEST

START_TEST(only_maps_that_last_make_it_durable)
{
	ck_assert_int_eq(decide_put(&t, slice_str("~m"), slice_str("k"),
	    slice_str("v")), 0);
	ck_assert_int_eq(t.durable, 0);
	ck_assert_int_eq(put("k", NULL), 0);
	ck_assert_int_ne(t.durable, 0);
	ck_assert_uint_eq(t.nchanges, 2);
}
END_TEST

static const struct {
	size_t	 map, key, value;	/* bytes */
	char	 first;			/* of the map's name */
	int	 err;
} bounds[] = {
	{ 1, 0, 0, 'm', 0 },
	{ 0, 1, 1, 'm', EINVAL },
	{ 1, 1, 1, '.', EINVAL },
	{ MAPS_NAME_MAX, MAPS_KEY_MAX, 1, 'm', 0 },
	{ MAPS_NAME_MAX + 1, 1, 1, 'm', EINVAL },
	{ 1, MAPS_KEY_MAX + 1, 1, 'm', EMSGSIZE },
	{ 1, 1, MAPS_VALUE_MAX, 'm', 0 },
	{ 1, 1, MAPS_VALUE_MAX + 1, 'm', EMSGSIZE },
};

START_TEST(names_keys_and_values_have_bounds)
{
	char	*text = calloc(1, MAPS_VALUE_MAX + 1), *map;
	int	 rv;

	ck_assert_ptr_nonnull(text);
	ck_assert_ptr_nonnull(map = calloc(1, MAPS_NAME_MAX + 1));
	map[0] = bounds[_i].first;
	decide_end(&t);
	decide_begin(&t, &state, &batch, 100, 4 << 20);
	rv = decide_put(&t, slice_of(map, bounds[_i].map),
	    slice_of(text, bounds[_i].key), slice_of(text, bounds[_i].value));
	ck_assert_int_eq(rv, bounds[_i].err == 0 ? 0 : -1);
	ck_assert_int_eq(t.err, bounds[_i].err);
	if (rv == -1)
		ck_assert_int_eq(errno, bounds[_i].err);
	free(map);
	free(text);
}
END_TEST

START_TEST(the_first_failure_is_the_steps)
{
	ck_assert_int_eq(decide_put(&t, slice_str(""), slice_str("k"),
	    slice_str("v")), -1);
	ck_assert_int_eq(put("k", "v"), 0);
	ck_assert_int_eq(decide_put(&t, slice_str("m"), slice_str("k"),
	    slice_of("", MAPS_VALUE_MAX + 1)), -1);
	ck_assert_int_eq(t.err, EINVAL);
}
END_TEST

START_TEST(a_step_writes_so_often_and_so_much)
{
	char	 key[2] = "a", *value = calloc(1, 1 << 10);

	ck_assert_ptr_nonnull(value);
	decide_end(&t);
	decide_begin(&t, &state, &batch, 3, 1 << 20);
	for (int i = 0; i < 3; i++, key[0]++) {
		ck_assert_uint_eq(decide_left(&t), 3 - (size_t)i);
		ck_assert_int_eq(put(key, "v"), 0);
	}
	ck_assert_uint_eq(decide_left(&t), 0);
	ck_assert_int_eq(put("a", "again"), -1);
	ck_assert_int_eq(errno, E2BIG);

	/* The group's bound. */
	decide_end(&t);
	decide_begin(&t, &state, &batch, 100, 1000);
	ck_assert_int_eq(decide_put(&t, slice_str("m"), slice_str("k"),
	    slice_of(value, 1 << 10)), -1);
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert_int_eq(put("old", NULL), 0);	/* there is always room to */

	/* One key written again and again is news each time. */
	decide_end(&t);
	decide_begin(&t, &state, &batch, 10000, 1 << 20);
	for (int i = 0; i < 10000 && t.err == 0; i++)
		decide_put(&t, slice_str("m"), slice_str("k"),
		    slice_of(value, 1 << 10));
	ck_assert_int_eq(t.err, E2BIG);
	ck_assert_uint_le(t.changes.len, (1 << 20) + MAPS_VALUE_MAX + 4096);
	free(value);
}
END_TEST

START_TEST(counts_are_those_of_a_walk)
{
	static const char	*keys[] = { "old", "both", "a", "b", "c" };
	char			 all[500];
	size_t			 walked;

	srand(1);
	for (int i = 0; i < 2000; i++) {
		put(keys[rand() % 5], rand() % 2 ? "x" : NULL);
		if (rand() % 3 == 0)
			next();
		if (t.nchanges > 90)
			next();
		*all = '\0';
		decide_each(&t, slice_str("m"), list_cb, all);
		walked = 0;
		for (char *p = all; (p = strchr(p, ';')) != NULL; p++)
			walked++;
		ck_assert_uint_eq(decide_count(&t, slice_str("m")), walked);
	}
	ck_assert_uint_eq(decide_count(&t, slice_str("none")), 0);
}
END_TEST

struct seen {
	int	 times[1000], n;
};

static void
seen_cb(struct slice key, struct slice value, void *arg)
{
	struct seen	*seen = arg;

	(void)value;
	seen->times[atoi(key.data + 1)]++;
	seen->n++;
}

/* Keys k0 .. k999: of the state, the batch and the step; some are removed. */
static void
three_layers(void)
{
	char	 key[16];

	decide_end(&t);
	maps_clear(&state);
	for (int i = 0; i < 400; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		ck_assert_int_eq(maps_put(&state, slice_str("m"),
		    slice_str(key), slice_str("v")), 0);
	}
	decide_begin(&t, &state, &batch, 2000, 1 << 20);
	for (int i = 300; i < 700; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		ck_assert_int_eq(put(key, "v"), 0);
	}
	ck_assert_int_eq(put("k5", NULL), 0);
	ck_assert_int_eq(decide_accept(&t, &batch), 0);
	decide_end(&t);
	decide_begin(&t, &state, &batch, 2000, 1 << 20);
	for (int i = 600; i < 1000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		ck_assert_int_eq(put(key, "v"), 0);
	}
	ck_assert_int_eq(put("k6", NULL), 0);
	ck_assert_int_eq(put("k650", NULL), 0);
}

START_TEST(portions_are_of_about_that_size_and_leave_none_out)
{
	struct seen	 seen = { 0 };
	uint64_t	 cursor = 0;
	int		 before;

	three_layers();
	ck_assert_uint_eq(decide_count(&t, slice_str("m")), 997);
	do {
		before = seen.n;
		decide_some(&t, slice_str("m"), &cursor, 10, seen_cb, &seen);
		ck_assert_int_le(seen.n - before, 30);
	} while (cursor != 0);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(seen.times[i], i != 5 && i != 6 && i != 650);
}
END_TEST

START_TEST(portions_of_a_map_that_grows_leave_none_out)
{
	struct seen	 seen = { 0 };
	uint64_t	 cursor = 0;
	char		 key[16];
	int		 n = 100;

	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		maps_put(&batch, slice_str("g"), slice_str(key),
		    slice_str("v"));
	}
	do {
		maps_some(&batch, slice_str("g"), &cursor, 7, seen_cb, &seen);
		for (int i = 0; i < 30 && n < 1000; i++) {
			snprintf(key, sizeof(key), "k%d", n++);
			maps_put(&batch, slice_str("g"), slice_str(key),
			    slice_str("v"));
		}
	} while (cursor != 0);
	for (int i = 0; i < 100; i++)
		ck_assert_int_ge(seen.times[i], 1);
	maps_some(&batch, slice_str("none"), &cursor, 7, seen_cb, &seen);
	ck_assert_uint_eq(cursor, 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("decide");
	TCase	*c = tcase_create("decide");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, a_step_sees_the_state_the_batch_and_itself);
	tcase_add_test(c, what_is_removed_is_not_seen_through);
	tcase_add_test(c, values_that_look_like_marks_are_values);
	tcase_add_test(c, keys_are_counted_and_walked_once);
	tcase_add_test(c, only_maps_that_last_make_it_durable);
	tcase_add_loop_test(c, names_keys_and_values_have_bounds, 0,
	    nitems(bounds));
	tcase_add_test(c, the_first_failure_is_the_steps);
	tcase_add_test(c, a_step_writes_so_often_and_so_much);
	tcase_add_test(c, counts_are_those_of_a_walk);
	tcase_add_test(c,
	    portions_are_of_about_that_size_and_leave_none_out);
	tcase_add_test(c, portions_of_a_map_that_grows_leave_none_out);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
