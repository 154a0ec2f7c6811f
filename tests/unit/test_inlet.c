/* Where clients come in. */
#include <stdio.h>
#include <stdlib.h>

#include <check.h>

#include "common/bytes.h"
#include "common/networks.h"
#include "gatewayd/inlet.h"

static struct inlets	 ins;
static const char	*why;
static char		 err[256];

static void
setup(void)
{
	memset(&ins, 0, sizeof(ins));
}

static void
teardown(void)
{
	inlets_clear(&ins);
}

START_TEST(a_section_has_its_keys)
{
	const struct inlet	*in;

	ck_assert_int_eq(inlets_listen(&ins, "8080", &why), 0);
	ck_assert_int_eq(inlets_sections(&ins), 0);
	ck_assert_int_eq(inlets_section(&ins, "web", &why), 0);
	ck_assert_int_eq(inlets_check(&ins, err, sizeof(err)), -1);
	ck_assert_ptr_nonnull(strstr(err, "[listener web]"));
	ck_assert_int_eq(inlets_option(&ins, "address", "unix:/x mode=0660",
	    &why), 0);
	ck_assert_int_eq(inlets_check(&ins, err, sizeof(err)), 0);
	ck_assert_int_eq(inlets_option(&ins, "proxy_protocol", "yes", &why),
	    0);
	ck_assert_int_eq(inlets_check(&ins, err, sizeof(err)), -1);
	ck_assert_ptr_nonnull(strstr(err, "proxy_trusted"));
	ck_assert_int_eq(inlets_option(&ins, "proxy_trusted",
	    "10.0.0.0/8 unix", &why), 0);
	ck_assert_int_eq(inlets_check(&ins, err, sizeof(err)), 0);
	ck_assert_int_eq(inlets_sections(&ins), 1);
	ck_assert_ptr_nonnull(in = inlets_find(&ins, "web:", 3));
	ck_assert_int_eq(in->proxy_protocol, 1);
	ck_assert_uint_eq(in->address.mode, 0660);
	ck_assert(networks_have(in->trusted, slice_str("unix:")));
	ck_assert(!networks_have(in->trusted, slice_str("11.0.0.1:5")));
	ck_assert_ptr_null(inlets_find(&ins, "we", 2));
	ck_assert_ptr_null(inlets_find(&ins, "", 0));
}
END_TEST

/* A raw listener. */
static struct inlet *
raw(const char *app)
{
	ck_assert_int_eq(inlets_section(&ins, "lines", &why), 0);
	ck_assert_int_eq(inlets_option(&ins, "address", "5000", &why), 0);
	ck_assert_int_eq(inlets_option(&ins, "app", app, &why), 0);
	return (&ins.list[ins.n - 1]);
}

START_TEST(with_an_application_it_is_raw)
{
	struct inlet	*in = raw("lines");
	struct buf	 b = { 0 };

	ck_assert_int_eq(inlets_check(&ins, err, sizeof(err)), 0);
	ck_assert_int_eq(inlets_option(&ins, "group", "const:den", &why), 0);
	ck_assert_int_eq(inlets_option(&ins, "uid", "random20", &why), 0);
	ck_assert_int_eq(inlets_option(&ins, "slow", "drop-new", &why), 0);
	ck_assert_int_eq(inlets_option(&ins, "dialect", "d1", &why), 0);
	ck_assert_int_eq(inlets_option(&ins, "app.word", "two words", &why),
	    0);
	ck_assert_int_eq(inlets_check(&ins, err, sizeof(err)), 0);
	inlet_tell(in, &b);
	ck_assert_int_eq(buf_add(&b, "", 1), 0);
	ck_assert_ptr_nonnull(strstr(b.data, "slow drop-new\n"));
	ck_assert_ptr_nonnull(strstr(b.data, "\ndialect d1\napp.word two "
	    "words\n"));
	buf_clear(&b);
	ck_assert_int_eq(inlets_option(&ins, "uid", "query:u", &why), 0);
	ck_assert_int_eq(inlets_check(&ins, err, sizeof(err)), -1);
	ck_assert_ptr_nonnull(strstr(err, "random20"));
}
END_TEST

START_TEST(without_one_it_has_none_of_its_keys)
{
	ck_assert_int_eq(inlets_section(&ins, "web", &why), 0);
	ck_assert_int_eq(inlets_option(&ins, "address", "5000", &why), 0);
	ck_assert_int_eq(inlets_option(&ins, "dialect", "d1", &why), 0);
	ck_assert_int_eq(inlets_check(&ins, err, sizeof(err)), -1);
	ck_assert_ptr_nonnull(strstr(err, "\"app\""));
}
END_TEST

START_TEST(what_raw_clients_are_to_have_is_exchanged)
{
	struct inlets	 old;
	struct inlet	*a, *b;

	a = raw("lines");
	ck_assert_int_eq(inlets_option(&ins, "dialect", "d1", &why), 0);
	old = ins;
	memset(&ins, 0, sizeof(ins));
	a = &old.list[0];
	b = raw("lines");
	ck_assert(!inlet_same_route(a, b));
	ck_assert(inlet_same(a, b));
	inlet_swap_route(a, b);
	ck_assert_uint_eq(a->settings.len, 0);
	ck_assert_uint_gt(b->settings.len, 0);
	ck_assert_int_eq(inlets_option(&ins, "limit", "7", &why), 0);
	ck_assert(!inlet_same_route(a, b));
	inlets_clear(&old);
}
END_TEST

START_TEST(lines_go_and_sections_stay)
{
	ck_assert_int_eq(inlets_listen(&ins, "8080", &why), 0);
	ck_assert_int_eq(inlets_section(&ins, "web", &why), 0);
	ck_assert_int_eq(inlets_option(&ins, "address", "8081", &why), 0);
	ck_assert_int_eq(inlets_listen(&ins, "8082", &why), 0);
	inlets_unlisten(&ins);
	ck_assert_uint_eq(ins.n, 1);
	ck_assert_str_eq(ins.list[0].text, "8081");
	ck_assert_int_eq(inlets_listen(&ins, "8083", &why), 0);
	ck_assert_ptr_null(ins.list[1].label);
	ck_assert_ptr_null(ins.list[1].trusted);
}
END_TEST

static const struct { const char *key, *value, *why; } wrong[] = {
	{ "address", "nonsense", "" }, { "address", "8081", "already" },
	{ "proxy_protocol", "v2", "" }, { "proxy_trusted", "proxy", "unix" },
	{ "proxy_trusted", "10.0.0.0/33", "unix" }, { "path", "/chat", "unknown" },
};

START_TEST(a_wrong_key_or_value_says_what_is_right)
{
	ck_assert_int_eq(inlets_section(&ins, "web", &why), 0);
	ck_assert_int_eq(inlets_option(&ins, "address", "8080", &why), 0);
	ck_assert_int_eq(inlets_option(&ins, wrong[_i].key, wrong[_i].value,
	    &why), -1);
	ck_assert_ptr_nonnull(strstr(why, wrong[_i].why));
	ck_assert_str_eq(ins.list[0].text, "8080");
}
END_TEST

START_TEST(names_are_names_and_each_is_there_once)
{
	ck_assert_int_eq(inlets_section(&ins, "web", &why), 0);
	ck_assert_int_eq(inlets_section(&ins, "web", &why), -1);
	ck_assert_int_eq(inlets_section(&ins, "", &why), -1);
	ck_assert_int_eq(inlets_section(&ins, "a b", &why), -1);
	ck_assert_int_eq(inlets_section(&ins, "a:b", &why), -1);
	ck_assert_uint_eq(ins.n, 1);
}
END_TEST

START_TEST(there_are_so_many_at_most)
{
	for (int i = 0; i < INLETS_MAX; i++)
		ck_assert_int_eq(inlets_listen(&ins, "8080", &why), 0);
	ck_assert_int_eq(inlets_listen(&ins, "8080", &why), -1);
	ck_assert_int_eq(inlets_section(&ins, "web", &why), -1);
}
END_TEST

START_TEST(a_change_is_seen)
{
	struct inlets	 other = { .n = 0 };

	for (int i = 0; i < 2; i++) {
		struct inlets	*x = i == 0 ? &ins : &other;

		ck_assert_int_eq(inlets_section(x, "web", &why), 0);
		ck_assert_int_eq(inlets_option(x, "address", "8080", &why), 0);
	}
	ck_assert(inlet_same(&ins.list[0], &other.list[0]));
	ck_assert_int_eq(inlets_option(&other, "proxy_trusted", "unix", &why),
	    0);
	ck_assert(!inlet_same(&ins.list[0], &other.list[0]));
	ck_assert_int_eq(inlets_option(&ins, "proxy_trusted", "unix", &why), 0);
	ck_assert(inlet_same(&ins.list[0], &other.list[0]));
	ck_assert_int_eq(inlets_option(&ins, "proxy_protocol", "yes", &why), 0);
	ck_assert(!inlet_same(&ins.list[0], &other.list[0]));
	inlets_clear(&other);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("inlet");
	TCase	*tc = tcase_create("inlet");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_section_has_its_keys);
	tcase_add_test(tc, with_an_application_it_is_raw);
	tcase_add_test(tc, without_one_it_has_none_of_its_keys);
	tcase_add_test(tc, what_raw_clients_are_to_have_is_exchanged);
	tcase_add_test(tc, lines_go_and_sections_stay);
	tcase_add_loop_test(tc, a_wrong_key_or_value_says_what_is_right, 0,
	    nitems(wrong));
	tcase_add_test(tc, names_are_names_and_each_is_there_once);
	tcase_add_test(tc, there_are_so_many_at_most);
	tcase_add_test(tc, a_change_is_seen);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
