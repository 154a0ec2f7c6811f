#include <sys/mman.h>
#include <sys/stat.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/counters.h"
#include "proto/page.h"

#define INCARNATION	0x123456789abcdef0

/* A memfd of len bytes of data, sealed so. */
static int
memory(const void *data, size_t len, int seals)
{
	int	 fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
	if (seals != 0)
		ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return (fd);
}

static void
check_is_refused(int fd)
{
	errno = 0;
	ck_assert_int_eq(page_check(fd), -1);
	ck_assert_int_eq(errno, EPROTO);
	close(fd);
}

/* What page_new() has written, to be spoilt. */
static void
good_page(struct page *copy)
{
	struct page	*p;
	int		 fd;

	ck_assert_ptr_nonnull(p = page_new(INCARNATION, &fd));
	page_at(p, PAGE_DECIDE, 1, 2, 3);
	*copy = *p;
	munmap(p, PAGE_BYTES);
	close(fd);
}

static void
parse_is_refused(const struct page *p, size_t len)
{
	struct page_work	 w;

	errno = 0;
	ck_assert_int_eq(page_parse(p, len, INCARNATION, &w), -1);
	ck_assert_int_eq(errno, EPROTO);
}

START_TEST(a_page_says_what_its_owner_is_at)
{
	struct page_work	 w;
	struct page		*p;
	int			 fd;

	ck_assert_ptr_nonnull(p = page_new(INCARNATION, &fd));
	ck_assert_int_eq(page_check(fd), 0);
	ck_assert_int_eq(page_read(fd, INCARNATION, &w), 0);
	ck_assert_uint_eq(w.what, PAGE_NOTHING);
	ck_assert_uint_eq(w.turns, 0);
	p->work.turns = 12;
	page_at(p, PAGE_ONSTEP, 5, UINT64_MAX, 9);
	ck_assert_int_eq(page_read(fd, INCARNATION, &w), 0);
	ck_assert_uint_eq(w.turns, 12);
	ck_assert_uint_eq(w.what, PAGE_ONSTEP);
	ck_assert_uint_eq(w.replica, 5);
	ck_assert_uint_eq(w.origin, UINT64_MAX);
	ck_assert_uint_eq(w.number, 9);
	page_idle(p);
	ck_assert_int_eq(page_read(fd, INCARNATION, &w), 0);
	ck_assert_uint_eq(w.what, PAGE_NOTHING);
	munmap(p, PAGE_BYTES);
	close(fd);
}
END_TEST

START_TEST(a_page_cannot_be_made_smaller)
{
	struct page	*p;
	int		 fd;

	ck_assert_ptr_nonnull(p = page_new(INCARNATION, &fd));
	ck_assert_int_eq(ftruncate(fd, 0), -1);
	ck_assert_int_eq(errno, EPERM);
	munmap(p, PAGE_BYTES);
	close(fd);
}
END_TEST

START_TEST(what_could_block_or_vanish_is_no_page)
{
	char	 bytes[PAGE_BYTES] = { 0 };
	int	 fds[2], fd;

	ck_assert_int_eq(pipe(fds), 0);
	close(fds[1]);
	check_is_refused(fds[0]);
	check_is_refused(open("/dev/zero", O_RDONLY));
	check_is_refused(open("/proc/self/exe", O_RDONLY));
	check_is_refused(memory(bytes, sizeof(bytes), 0));
	check_is_refused(memory(bytes, sizeof(bytes), F_SEAL_GROW));
	check_is_refused(memory(bytes, sizeof(struct page) - 1, F_SEAL_SHRINK));
	fd = memory(bytes, 1, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)PAGE_MAX + 1), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	check_is_refused(fd);
}
END_TEST

START_TEST(a_head_that_is_wrong_is_refused)
{
	struct page	 good, p;

	good_page(&good);
	p = good;
	p.head.magic ^= 1;
	parse_is_refused(&p, sizeof(p));
	p = good;
	p.head.incarnation++;
	parse_is_refused(&p, sizeof(p));
	p = good;
	p.head.readable = PAGE_VERSION + 1;
	p.head.version = PAGE_VERSION + 1;
	parse_is_refused(&p, sizeof(p));
	p = good;
	p.head.version = 0;
	parse_is_refused(&p, sizeof(p));
	p = good;
	p.work.what = PAGE_NWHATS;
	parse_is_refused(&p, sizeof(p));
	for (size_t len = 0; len < sizeof(p); len++)
		parse_is_refused(&good, len);
}
END_TEST

START_TEST(other_versions_are_understood)
{
	struct page_work	 w;
	struct page		 p;

	good_page(&p);
	p.head.version = 200;			/* has more behind it */
	p.head.work_size = 4000;
	ck_assert_int_eq(page_parse(&p, sizeof(p), INCARNATION, &w), 0);
	ck_assert_uint_eq(w.number, 3);
	p.head.work_size = sizeof(uint64_t);	/* has not all of it */
	p.work.turns = 4;
	ck_assert_int_eq(page_parse(&p, sizeof(p), INCARNATION, &w), 0);
	ck_assert_uint_eq(w.turns, 4);
	ck_assert_uint_eq(w.what, PAGE_NOTHING);
	ck_assert_uint_eq(w.number, 0);
}
END_TEST

/* 6 */
START_TEST(random_bytes_are_refused_or_within_bounds)
{
	struct page_work	 w;
	struct page		 good;
	unsigned char		 bytes[sizeof(struct page)];

	good_page(&good);
	srandom(1);
	for (int i = 0; i < 200000; i++) {
		memcpy(bytes, &good, sizeof(bytes));
		for (long n = 1 + random() % 8; n > 0; n--)
			bytes[random() % (long)sizeof(bytes)] =
			    (unsigned char)random();
		if (page_parse(bytes, (size_t)random() % (sizeof(bytes) + 1),
		    INCARNATION, &w) == 0)
			ck_assert_uint_lt(w.what, PAGE_NWHATS);
	}
}
END_TEST

START_TEST(counters_are_read_as_far_as_they_go)
{
	const size_t	 sizes[] = { sizeof(struct page), PAGE_ROOM_AT,
			    PAGE_ROOM_AT + 8, PAGE_ROOM_AT + 12, PAGE_BYTES };
	const uint64_t	 firsts[] = { 0, 0, 7, 7, 7 }, seconds[] = { 0, 0, 0,
			    0, 8 };
	_Alignas(uint64_t) char bytes[PAGE_BYTES] = { 0 };
	struct page	*p = (struct page *)(void *)bytes;
	struct counters	 c;
	int		 fd;

	good_page(p);
	ck_assert_uint_eq(p->head.counters_size, sizeof(c));
	page_counters(p)->cells[0] = 7;
	page_counters(p)->cells[1] = 8;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		fd = memory(bytes, sizes[i], F_SEAL_SHRINK);
		memset(&c, 0xff, sizeof(c));
		ck_assert_int_eq(page_read_counters(fd, INCARNATION, &c), 0);
		ck_assert_uint_eq(c.cells[0], firsts[i]);
		ck_assert_uint_eq(c.cells[1], seconds[i]);
		ck_assert_int_eq(page_read_counters(fd, 1, &c), -1);
		close(fd);
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("page");
	TCase	*t = tcase_create("page");
	SRunner	*r = srunner_create(s);
	int	 failed;

	tcase_add_test(t, a_page_says_what_its_owner_is_at);
	tcase_add_test(t, a_page_cannot_be_made_smaller);
	tcase_add_test(t, what_could_block_or_vanish_is_no_page);
	tcase_add_test(t, a_head_that_is_wrong_is_refused);
	tcase_add_test(t, other_versions_are_understood);
	tcase_add_test(t, counters_are_read_as_far_as_they_go);
	tcase_add_test(t, random_bytes_are_refused_or_within_bounds);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed == 0 ? 0 : 1);
}
