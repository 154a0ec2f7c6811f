#include <sys/stat.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "common/tls_context.h"

static char	 dir[] = "/tmp/kennel-test-XXXXXX";
static char	 one[64], two[64], key[64], why[256];

static void
run(const char *command)
{
	ck_assert_int_eq(system(command), 0);
}

/* An authority, and its key. */
static void
make(const char *cert, const char *its_key)
{
	char	 command[512];

	snprintf(command, sizeof(command), "openssl req -x509 -newkey ec "
	    "-pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x "
	    "-keyout %s -out %s 2>/dev/null", its_key, cert);
	run(command);
}

static void
setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(one, sizeof(one), "%s/one", dir);
	snprintf(two, sizeof(two), "%s/two", dir);
	snprintf(key, sizeof(key), "%s/key", dir);
	make(two, key);
	make(one, key);
}

static void
teardown(void)
{
	char	 command[64];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	run(command);
}

static SSL_CTX *
get(const char *ca, const char *cert, const char *its_key)
{
	const struct tls_files	 files = { ca, cert, its_key };

	return (tls_context(&files, why, sizeof(why)));
}

/* Is that the one which is kept for these files now? */
static int
kept(SSL_CTX *ctx, const char *ca, const char *cert, const char *its_key)
{
	SSL_CTX	*now = get(ca, cert, its_key);
	int	 same = now == ctx;

	ck_assert_ptr_nonnull(now);
	SSL_CTX_free(now);
	return (same);
}

START_TEST(files_are_read_once_as_long_as_they_are_the_same)
{
	SSL_CTX	*a = get(one, NULL, NULL), *b = get(two, NULL, NULL),
		*c = get(one, one, key);

	for (int i = 0; i < 3; i++) {
		ck_assert(kept(a, one, NULL, NULL));
		ck_assert(kept(b, two, NULL, NULL));
		ck_assert(kept(c, one, one, key));
	}
	ck_assert(a != b && b != c && a != c);
	SSL_CTX_free(a);
	SSL_CTX_free(b);
	SSL_CTX_free(c);
}
END_TEST

/* Another file of that name; the same one, with something else in it; for each of the three. */
START_TEST(what_has_changed_is_read_again)
{
	SSL_CTX	*a = get(one, NULL, NULL), *b = get(two, one, key);
	char	 command[512];

	snprintf(command, sizeof(command), "cp %s %s.new && mv %s.new %s", one,
	    one, one, one);
	run(command);
	ck_assert(!kept(a, one, NULL, NULL));
	ck_assert(!kept(b, two, one, key));
	SSL_CTX_free(a);
	SSL_CTX_free(b);
	a = get(one, NULL, NULL);
	ck_assert(kept(a, one, NULL, NULL));
	snprintf(command, sizeof(command), "cat %s >>%s", two, one);
	run(command);
	ck_assert(!kept(a, one, NULL, NULL));
	SSL_CTX_free(a);
	b = get(two, one, key);
	ck_assert(kept(b, two, one, key));
	snprintf(command, sizeof(command), "cp %s %s.new && mv %s.new %s", key,
	    key, key, key);
	run(command);
	ck_assert(!kept(b, two, one, key));
	SSL_CTX_free(b);
}
END_TEST

/* What cannot be read is said, each time, and may be mended; what was read before counts no
 * more. */
START_TEST(what_cannot_be_read_is_said)
{
	SSL_CTX	*a = get(one, NULL, NULL);

	ck_assert_int_eq(unlink(one), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_ptr_null(get(one, NULL, NULL));
		ck_assert_ptr_nonnull(strstr(why, "CA file"));
		ck_assert_ptr_nonnull(strstr(why, "No such file"));
	}
	make(one, two);			/* whose key is not that one */
	ck_assert_ptr_null(get(one, one, key));
	ck_assert_ptr_nonnull(strstr(why, "key file"));
	ck_assert(!kept(a, one, NULL, NULL));
	SSL_CTX_free(a);
}
END_TEST

/* A file and a directory; a list of directories is read each time. */
START_TEST(the_machines_own_are_kept_too)
{
	SSL_CTX	*a;
	char	 list[160];

	setenv("SSL_CERT_FILE", one, 1);
	setenv("SSL_CERT_DIR", dir, 1);
	a = get(NULL, NULL, NULL);
	ck_assert(kept(a, NULL, NULL, NULL));
	make(one, key);
	ck_assert(!kept(a, NULL, NULL, NULL));
	SSL_CTX_free(a);
	a = get(NULL, NULL, NULL);
	ck_assert(kept(a, NULL, NULL, NULL));
	snprintf(list, sizeof(list), "%s/0123abcd.0", dir);
	ck_assert_int_eq(symlink(two, list), 0);
	ck_assert(!kept(a, NULL, NULL, NULL));
	SSL_CTX_free(a);
	snprintf(list, sizeof(list), "%s:%s", dir, dir);
	setenv("SSL_CERT_DIR", list, 1);
	a = get(NULL, NULL, NULL);
	ck_assert(!kept(a, NULL, NULL, NULL));
	SSL_CTX_free(a);
}
END_TEST

int
main(void)
{
	SRunner	*runner;
	Suite	*s = suite_create("tls_context");
	TCase	*t = tcase_create("files");
	int	 nfailed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, files_are_read_once_as_long_as_they_are_the_same);
	tcase_add_test(t, what_has_changed_is_read_again);
	tcase_add_test(t, what_cannot_be_read_is_said);
	tcase_add_test(t, the_machines_own_are_kept_too);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	nfailed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return (nfailed != 0);
}
