#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/state/maps.h"

#define KEYS	40
#define NAMES	3

static struct slice
get(const struct maps *m, const char *name, const char *key)
{
	return (maps_get(m, slice_str(name), slice_str(key)));
}

static void
put(struct maps *m, const char *name, const char *key, const char *value)
{
	ck_assert_int_eq(maps_put(m, slice_str(name), slice_str(key),
	    value == NULL ? slice_of(NULL, 0) : slice_str(value)), 0);
}

START_TEST(an_empty_state_has_nothing)
{
	struct maps	 m = { 0 };

	ck_assert_ptr_null(get(&m, "a", "k").data);
	ck_assert_uint_eq(maps_count(&m, slice_str("a")), 0);
	put(&m, "a", "k", NULL);	/* nothing to remove */
	maps_each(&m, slice_str("a"), NULL, NULL);
	maps_clear(&m);
	ck_assert_uint_eq(m.bytes, 0);
}
END_TEST

START_TEST(a_value_is_a_terminated_copy)
{
	struct maps	 m = { 0 };
	char		 text[] = "value";
	struct slice	 v;

	put(&m, "a", "k", text);
	text[0] = 'V';
	v = get(&m, "a", "k");
	ck_assert_uint_eq(v.len, 5);
	ck_assert_str_eq(v.data, "value");
	put(&m, "a", "k", "other");
	ck_assert_str_eq(get(&m, "a", "k").data, "other");
	ck_assert_ptr_null(get(&m, "b", "k").data);
	ck_assert_ptr_null(get(&m, "a", "kk").data);
	maps_clear(&m);
}
END_TEST

START_TEST(an_empty_value_is_there_and_an_empty_key_is_one)
{
	struct maps	 m = { 0 };

	put(&m, "a", "", "");
	ck_assert_ptr_nonnull(get(&m, "a", "").data);
	ck_assert_uint_eq(get(&m, "a", "").len, 0);
	ck_assert_int_eq(maps_put(&m, slice_str("a"), slice_of("x\0y", 3),
	    slice_of("1\0002", 3)), 0);
	ck_assert_ptr_null(get(&m, "a", "x").data);
	ck_assert_mem_eq(maps_get(&m, slice_str("a"),
	    slice_of("x\0y", 3)).data, "1\0002", 4);
	ck_assert_uint_eq(maps_count(&m, slice_str("a")), 2);
	maps_clear(&m);
}
END_TEST

START_TEST(a_map_without_keys_is_none)
{
	struct maps	 m = { 0 };

	put(&m, "a", "k", "v");
	put(&m, "a", "l", "v");
	put(&m, "a", "k", NULL);
	ck_assert_ptr_nonnull(maps_find(&m, slice_str("a")));
	put(&m, "a", "l", NULL);
	ck_assert_ptr_null(maps_find(&m, slice_str("a")));
	ck_assert_uint_eq(m.bytes, 0);
	ck_assert_uint_eq(m.by_name.count, 0);
	maps_clear(&m);
}
END_TEST

START_TEST(names_that_begin_with_a_tilde_are_volatile)
{
	ck_assert(maps_volatile(slice_str("~")));
	ck_assert(maps_volatile(slice_str("~a")));
	ck_assert(!maps_volatile(slice_str("a~")));
	ck_assert(!maps_volatile(slice_of("", 0)));
}
END_TEST

struct model {
	char	 value[NAMES][KEYS][16];	/* "": not there */
	size_t	 seen[NAMES];
};

struct walk {
	struct model	*model;
	size_t		 name, count;
};

static void
walk_cb(struct slice key, struct slice value, void *arg)
{
	struct walk	*w = arg;
	size_t		 k = (size_t)atoi(key.data);

	ck_assert_uint_lt(k, KEYS);
	ck_assert_uint_eq(value.len, strlen(w->model->value[w->name][k]));
	ck_assert_str_eq(value.data, w->model->value[w->name][k]);
	w->count++;
}

/* Ten thousand changes, against arrays; the bytes are what is there. */
START_TEST(many_changes_keep_what_was_put)
{
	static struct model	 model;
	struct maps		 m = { 0 };
	struct walk		 w = { .model = &model };
	char			 name[16], key[16], value[16];
	size_t			 n, k, want, bytes;

	srandom((unsigned)_i);
	memset(&model, 0, sizeof(model));
	for (int i = 0; i < 10000; i++) {
		n = (size_t)random() % NAMES;
		k = (size_t)random() % KEYS;
		snprintf(name, sizeof(name), "map %zu", n);
		snprintf(key, sizeof(key), "%zu", k);
		snprintf(value, sizeof(value), "%ld", random() % 100000);
		if (random() % 2)
			value[0] = '\0';
		put(&m, name, key, value[0] == '\0' ? NULL : value);
		strcpy(model.value[n][k], value);
	}
	bytes = 0;
	for (n = 0; n < NAMES; n++) {
		snprintf(name, sizeof(name), "map %zu", n);
		for (k = want = 0; k < KEYS; k++) {
			snprintf(key, sizeof(key), "%zu", k);
			if (model.value[n][k][0] == '\0') {
				ck_assert_ptr_null(get(&m, name, key).data);
				continue;
			}
			want++;
			bytes += strlen(key) + strlen(model.value[n][k]) +
			    MAPS_ENTRY_COST;
		}
		bytes += want == 0 ? 0 : strlen(name) + MAPS_ENTRY_COST;
		ck_assert_uint_eq(maps_count(&m, slice_str(name)), want);
		w.name = n;
		w.count = 0;
		maps_each(&m, slice_str(name), walk_cb, &w);
		ck_assert_uint_eq(w.count, want);
	}
	ck_assert_uint_eq(m.bytes, bytes);
	maps_clear(&m);
	ck_assert_uint_eq(m.bytes, 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("maps");
	TCase	*t = tcase_create("maps");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, an_empty_state_has_nothing);
	tcase_add_test(t, a_value_is_a_terminated_copy);
	tcase_add_test(t, an_empty_value_is_there_and_an_empty_key_is_one);
	tcase_add_test(t, a_map_without_keys_is_none);
	tcase_add_test(t, names_that_begin_with_a_tilde_are_volatile);
	tcase_add_loop_test(t, many_changes_keep_what_was_put, 1, 9);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
