/* Paths as routes have them. */
#include <check.h>
#include <string.h>

#include "proto/pattern.h"

static const struct row {
	const char	*patterns, *path;
	const char	*name, *value;	/* of the last {name}; NULL: none */
	int		 fits;
} rows[] = {
	{ "/a", "/a", NULL, NULL, 1 },
	{ "/a", "/a/", NULL, NULL, 0 },
	{ "/a", "/ab", NULL, NULL, 0 },
	{ "/a", "*", NULL, NULL, 0 },
	{ "/a", "", NULL, NULL, 0 },
	{ "/a /b", "/b", NULL, NULL, 1 },
	{ "/a /b", "/a /b", NULL, NULL, 0 },
	{ "/{x}", "/a", "x", "a", 1 },
	{ "/{x}", "/", NULL, NULL, 0 },
	{ "/{x} /{x}/*", "/a/", "x", "a", 1 },
	{ "/{x}/b /{y}/c", "/a/c", "y", "a", 1 },
	{ "/{y}/* /*", "/", NULL, NULL, 1 },
	{ "/%61", "/a", NULL, NULL, 0 },
	{ "/a", "/%61", NULL, NULL, 1 },
	{ "/{x}", "/%61", "x", "%61", 1 },
	{ "", "/a", NULL, NULL, 0 },
};

START_TEST(the_first_pattern_that_fits_takes)
{
	const struct row	*r = &rows[_i];
	struct taken		 taken;

	ck_assert_int_eq(patterns_match(r->patterns, slice_str(r->path),
	    &taken), r->fits);
	if (strchr(r->patterns, ' ') == NULL && *r->patterns != '\0')
		ck_assert_int_eq(pattern_match(r->patterns,
		    slice_str(r->path), &taken), r->fits);
	if (!r->fits)
		return;
	ck_assert_uint_eq(taken.n, r->name != NULL);
	if (r->name == NULL)
		return;
	ck_assert(slice_is(taken.name[0], r->name));
	ck_assert(slice_is(taken.value[0], r->value));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("pattern");
	TCase	*t = tcase_create("pattern");
	SRunner	*sr;
	int	 failed;

	tcase_add_loop_test(t, the_first_pattern_that_fits_takes, 0,
	    (int)(sizeof(rows) / sizeof(rows[0])));
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
