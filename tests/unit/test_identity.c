/* The name of a node to which nobody gave one. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "gatewayd/identity.h"
#include "proto/limits.h"

static char	 dir[] = "/tmp/identity.XXXXXX", path[64];

static void
setup(void)
{
	strcpy(dir, "/tmp/identity.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/node", dir);
}

static void
teardown(void)
{
	unlink(path);
	rmdir(dir);
}

static void
put(const char *text)
{
	FILE	*f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

/* What another process, which then ends, is given. */
static void
taken_by_another(char *name, size_t size)
{
	int	 p[2], status;
	char	*got;
	ssize_t	 n;

	ck_assert_int_eq(pipe(p), 0);
	if (fork() == 0) {
		got = identity_node(dir);
		n = write(p[1], got, strlen(got));
		_exit(n != (ssize_t)strlen(got));
	}
	close(p[1]);
	ck_assert_int_gt((n = read(p[0], name, size - 1)), 0);
	name[n] = '\0';
	close(p[0]);
	ck_assert_int_ne(wait(&status), -1);
	ck_assert_int_eq(status, 0);
}

static int
is_name(const char *s)
{
	return (s[0] != '\0' && strlen(s) <= NODE_MAX && s[strspn(s,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "._-")] == '\0');
}

START_TEST(a_name_is_made_once)
{
	char		 first[128], *again;
	struct stat	 st;

	taken_by_another(first, sizeof(first));
	ck_assert(is_name(first));
	ck_assert(strlen(first) > 5 && first[strlen(first) - 5] == '-');
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	again = identity_node(dir);
	ck_assert_str_eq(again, first);
	free(again);
}
END_TEST

START_TEST(a_name_that_is_in_use_is_nobody_elses)
{
	char	*mine = identity_node(dir), other[128], *again;

	taken_by_another(other, sizeof(other));
	ck_assert(is_name(other));
	ck_assert_str_ne(mine, other);
	again = identity_node(dir);
	ck_assert_str_eq(again, mine);
	free(again);
	free(mine);
}
END_TEST

START_TEST(what_an_administrator_wrote_is_the_name)
{
	char	*name;

	put("web-1.example\n");
	name = identity_node(dir);
	ck_assert_str_eq(name, "web-1.example");
	free(name);
}
END_TEST

static const char *const no_names[] = { "", "\n", "cut", "two words\n", "a/b\n",
    "x\0y\n", "\xff\n",
    "12345678901234567890123456789012345678901234567890123456789012345\n" };

START_TEST(what_is_no_name_is_made_anew)
{
	char	*name, after[128];

	put(no_names[_i]);
	name = identity_node(dir);
	ck_assert(is_name(name));
	ck_assert_str_ne(name, no_names[_i]);
	free(name);
	taken_by_another(after, sizeof(after));
	ck_assert(is_name(after));
}
END_TEST

START_TEST(without_a_directory_it_is_the_hosts)
{
	char	*a = identity_node(NULL), *b = identity_node("/proc/none");

	ck_assert(is_name(a));
	ck_assert_str_eq(a, b);
	free(a);
	free(b);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("identity");
	TCase	*t = tcase_create("identity");
	SRunner	*r = srunner_create(s);
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_name_is_made_once);
	tcase_add_test(t, a_name_that_is_in_use_is_nobody_elses);
	tcase_add_test(t, what_an_administrator_wrote_is_the_name);
	tcase_add_loop_test(t, what_is_no_name_is_made_anew, 0,
	    (int)(sizeof(no_names) / sizeof(no_names[0])));
	tcase_add_test(t, without_a_directory_it_is_the_hosts);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
