#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/events/json.h"

START_TEST(what_is_json)
{
	static const char *const	 good[] = { "{}", "[]", "0", "-0", "1.5e-7",
		    "1E+2", "true", " null ", "\"\"", "\"\\u00e9\\n\\\"\"", "[1,[2,{}]]",
		    "{\"a\":{\"b\":[{}]},\"c\":1}", "\t[ ]\r\n", "\"\xc3\xa9\"" };

	for (size_t i = 0; i < nitems(good); i++)
		ck_assert_msg(json_valid(slice_str(good[i])), "%s", good[i]);
}
END_TEST

START_TEST(what_is_not)
{
	static const char *const	 bad[] = { "", " ", "{", "}", "[1,]", "[,1]",
		    "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{1:2}", "01", "1.", ".5",
		    "1e", "--1", "+1", "nul", "truee", "'a'", "\"", "\"\\x\"",
		    "\"\\u12g4\"", "\"\n\"", "[1 2]", "{}{}", "\"\xff\"", "[1}",
		    "{\"a\":1]" };

	for (size_t i = 0; i < nitems(bad); i++)
		ck_assert_msg(!json_valid(slice_str(bad[i])), "%s", bad[i]);
}
END_TEST

START_TEST(depth_is_bounded)
{
	char	 text[2 * JSON_DEPTH + 2];

	memset(text, '[', JSON_DEPTH);
	memset(text + JSON_DEPTH, ']', JSON_DEPTH);
	ck_assert(json_valid(slice_of(text, 2 * JSON_DEPTH)));
	memset(text, '[', JSON_DEPTH + 1);
	memset(text + JSON_DEPTH + 1, ']', JSON_DEPTH + 1);
	ck_assert(!json_valid(slice_of(text, 2 * JSON_DEPTH + 2)));
}
END_TEST

/* Nothing behind the end is looked at. */
START_TEST(every_beginning_is_judged_by_itself)
{
	const char	*text = "{\"a\":[1,-2.5e3,\"\\u00e9\",true,{}]}";
	char		*exact;

	for (size_t n = 0; n <= strlen(text); n++) {
		exact = malloc(n + 1);
		memcpy(exact, text, n);
		ck_assert_int_eq(json_valid(slice_of(exact, n)),
		    n == strlen(text));
		free(exact);
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("json");
	TCase	*t = tcase_create("json");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, what_is_json);
	tcase_add_test(t, what_is_not);
	tcase_add_test(t, depth_is_bounded);
	tcase_add_test(t, every_beginning_is_judged_by_itself);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
