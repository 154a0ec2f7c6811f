#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/news.h"

static void
add_change(struct buf *b, enum news_kind kind, const char *map,
    const char *key, struct slice value)
{
	struct news_change	 c = { .kind = kind, .map = slice_str(map),
				    .key = slice_str(key), .value = value };

	news_add_change(b, &c);
}

/* Three steps: with changes, refused, an end. */
static void
write_three(struct buf *b)
{
	news_begin(b, 7, 3);
	news_add_step(b, 1, 2, 0, slice_str("data"), 3);
	add_change(b, NEWS_PUT, "m", "k", slice_str("v"));
	add_change(b, NEWS_PUT, "m", "", slice_str(""));
	add_change(b, NEWS_REMOVE, "~n", "k", slice_of(NULL, 0));
	news_add_step(b, UINT64_MAX, UINT64_MAX, EAGAIN, slice_of(NULL, 0),
	    0);
	news_add_step(b, 3, 0, 0, slice_of(NULL, 0), 0);
	ck_assert_int_eq(b->failed, 0);
}

START_TEST(what_was_written_is_read)
{
	struct buf		 b = { 0 };
	struct news_change	 c;
	struct news_step	 s;
	struct news		 n;

	write_three(&b);
	ck_assert_int_eq(news_open(&n, b.data, b.len), 0);
	ck_assert_uint_eq(n.durable, 7);
	ck_assert_int_eq(news_step(&n, &s), 1);
	ck_assert(s.origin == 1 && s.number == 2 && s.err == 0);
	ck_assert(slice_is(s.data, "data"));
	ck_assert_uint_eq(s.nchanges, 3);
	ck_assert_int_eq(news_change(&s, &c), 1);
	ck_assert(c.kind == NEWS_PUT && slice_is(c.map, "m") &&
	    slice_is(c.key, "k") && slice_is(c.value, "v"));
	ck_assert_int_eq(news_change(&s, &c), 1);
	ck_assert(c.kind == NEWS_PUT && c.key.len == 0 && c.value.len == 0);
	ck_assert_ptr_nonnull(c.value.data);	/* empty is not removed */
	ck_assert_int_eq(news_change(&s, &c), 1);
	ck_assert(c.kind == NEWS_REMOVE && slice_is(c.map, "~n"));
	ck_assert_ptr_null(c.value.data);
	ck_assert_int_eq(news_change(&s, &c), 0);
	ck_assert_int_eq(news_step(&n, &s), 1);
	ck_assert(s.origin == UINT64_MAX && s.number == UINT64_MAX &&
	    s.err == EAGAIN && s.data.len == 0 && s.nchanges == 0);
	ck_assert_int_eq(news_step(&n, &s), 1);
	ck_assert(s.origin == 3 && s.number == 0);
	ck_assert_int_eq(news_step(&n, &s), 0);
	ck_assert_int_eq(news_step(&n, &s), 0);
	buf_clear(&b);
}
END_TEST

START_TEST(news_cut_short_or_longer_are_refused)
{
	struct buf	 b = { 0 };
	struct news	 n;
	char		*exact;

	write_three(&b);
	for (size_t len = 0; len <= b.len + 1; len++) {
		ck_assert_ptr_nonnull(exact = calloc(1, len + 1));
		memcpy(exact, b.data, len < b.len ? len : b.len);
		ck_assert_int_eq(news_open(&n, exact, len),
		    len == b.len ? 0 : -1);
		if (len != b.len)
			ck_assert_int_eq(errno, EPROTO);
		free(exact);
	}
	buf_clear(&b);
}
END_TEST

static const struct {
	size_t	 map, key, value, data;		/* bytes */
	uint64_t kind;
	int	 good;
} bounds[] = {
	{ 1, 0, 0, 0, NEWS_PUT, 1 },
	{ 0, 1, 1, 1, NEWS_PUT, 0 },
	{ 1, 1, 1, 1, NEWS_PUT + 1, 0 },
	{ MAPS_NAME_MAX, MAPS_KEY_MAX, MAPS_VALUE_MAX, STEP_MAX, NEWS_PUT, 1 },
	{ MAPS_NAME_MAX + 1, 1, 1, 1, NEWS_PUT, 0 },
	{ 1, MAPS_KEY_MAX + 1, 1, 1, NEWS_PUT, 0 },
	{ 1, 1, MAPS_VALUE_MAX + 1, 1, NEWS_PUT, 0 },
	{ 1, 1, 1, STEP_MAX + 1, NEWS_PUT, 0 },
};

START_TEST(each_part_has_its_bound)
{
	char			*text = calloc(1, MAPS_VALUE_MAX + 1);
	struct news_change	 c = { .kind = (enum news_kind)bounds[_i].kind,
				    .map = slice_of(text, bounds[_i].map),
				    .key = slice_of(text, bounds[_i].key),
				    .value = slice_of(text, bounds[_i].value) };
	struct buf		 b = { 0 };
	struct news		 n;

	ck_assert_ptr_nonnull(text);
	news_begin(&b, 0, 1);
	news_add_step(&b, 1, 1, 0, slice_of(text, bounds[_i].data), 1);
	news_add_change(&b, &c);
	ck_assert_int_eq(news_open(&n, b.data, b.len),
	    bounds[_i].good ? 0 : -1);
	buf_clear(&b);
	free(text);
}
END_TEST

/* Of which there may be so many, and a part of a state with its marks. */
START_TEST(the_fullest_batch_is_read)
{
	struct buf		 b = { 0 };
	struct news_change	 c;
	struct news_step	 s;
	struct news		 n;
	size_t			 steps = _i ? 1001 : NEWS_STEPS_MAX;
	size_t			 changes = _i ? 1000 : NEWS_CHANGES_MAX;
	size_t			 nsteps = 0, nchanges = 0;

	news_begin(&b, 1, steps);
	news_add_step(&b, 1, 1, 0, slice_of(NULL, 0), changes);
	for (size_t i = 0; i < changes; i++)
		add_change(&b, NEWS_PUT, "m", "k", slice_str("v"));
	for (size_t i = 1; i < steps; i++)
		news_add_step(&b, i, i, 0, slice_of(NULL, 0), 0);
	ck_assert_int_eq(news_open(&n, b.data, b.len), 0);
	while (news_step(&n, &s)) {
		nsteps++;
		while (news_change(&s, &c))
			nchanges++;
	}
	ck_assert_uint_eq(nsteps, steps);
	ck_assert_uint_eq(nchanges, changes);
	buf_clear(&b);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("news");
	TCase	*t = tcase_create("news");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, what_was_written_is_read);
	tcase_add_test(t, news_cut_short_or_longer_are_refused);
	tcase_add_loop_test(t, each_part_has_its_bound, 0, nitems(bounds));
	tcase_add_loop_test(t, the_fullest_batch_is_read, 0, 2);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
