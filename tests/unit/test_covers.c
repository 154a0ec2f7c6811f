/* Copies of descriptors, kept with places. */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <check.h>

#include "gatewayd/covers.h"
#include "gatewayd/placement.h"
#include "gatewayd/reserve.h"
#include "gatewayd/settings.h"
#include "gatewayd/verify.h"

static struct placement	*p;
static struct site	*a, *b;
static uint64_t		 next_id;

static void
setup(void)
{
	p = placement_new(7, NULL, NULL);
	ck_assert_ptr_nonnull(p);
	a = placement_site_add(p, 0, 1000, 100, &a);
	b = placement_site_add(p, 1, 1001, 100, &b);
	next_id = 1;
	covers_allow(p, 3);
}

static void
teardown(void)
{
	ck_assert_int_eq(verify_placement(p), 0);
	placement_free(p);
}

static struct place *
placed(const char *group, int http)
{
	struct placement_ask	 ask = {
		.id = next_id++, .group = slice_str(group),
		.uid = slice_str("ann"), .app = slice_str("chat"),
		.limit = 10, .http = http
	};
	struct place		*place = NULL;

	ck_assert_int_eq(placement_take(p, &ask, &place), PLACED);
	return (place);
}

/* A descriptor that nobody else has. */
static int
descriptor(void)
{
	int	 fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    fds), 0);
	close(fds[1]);
	return (fds[0]);
}

static int
is_open(int fd)
{
	return (fcntl(fd, F_GETFD) != -1);
}

START_TEST(a_cover_ends_with_its_place)
{
	struct place	*place = placed("room", 0);
	int		 fd = descriptor();

	ck_assert_int_eq(place->fd, -1);
	ck_assert_int_eq(covers_keep(p, place, fd), 0);
	ck_assert_uint_eq(covers_count(p), 1);
	ck_assert_int_eq(verify_placement(p), 0);
	ck_assert(is_open(fd));
	ck_assert_int_eq(placement_release(p, place->id, NULL), 0);
	ck_assert(!is_open(fd));
	ck_assert_uint_eq(covers_count(p), 0);
}
END_TEST

START_TEST(a_cover_ends_with_its_site)
{
	struct place	*place = placed(NULL, 0);
	int		 fd = descriptor();

	ck_assert_int_eq(covers_keep(p, place, fd), 0);
	placement_site_remove(p, place_site(place));
	ck_assert(!is_open(fd));
	ck_assert_uint_eq(covers_count(p), 0);
}
END_TEST

START_TEST(taken_it_is_the_callers)
{
	struct place	*place = placed("room", 0);
	int		 fd = descriptor();

	ck_assert_int_eq(covers_take(p, place), -1);
	ck_assert_int_eq(covers_keep(p, place, fd), 0);
	ck_assert_int_eq(covers_take(p, place), fd);
	ck_assert_uint_eq(covers_count(p), 0);
	ck_assert_int_eq(placement_release(p, place->id, NULL), 0);
	ck_assert(is_open(fd));
	close(fd);
}
END_TEST

START_TEST(one_for_a_place_and_none_for_plain_http)
{
	struct place	*place = placed("room", 0), *http = placed("room", 1);
	int		 fd = descriptor(), other = descriptor(),
			 third = descriptor();

	ck_assert_int_eq(covers_keep(p, place, fd), 0);
	ck_assert_int_eq(covers_keep(p, place, other), -1);
	ck_assert(is_open(fd) && !is_open(other));
	ck_assert_int_eq(covers_keep(p, http, third), -1);
	ck_assert(!is_open(third));
	ck_assert_uint_eq(covers_count(p), 1);
	ck_assert_uint_eq(covers_missing(p), 0);
	/* Plain HTTP that goes on as a stream is one like the others. */
	ck_assert_int_eq(placement_stay(p, http, slice_str("ann")), 0);
	ck_assert_uint_eq(covers_missing(p), 1);
	ck_assert_int_eq(covers_keep(p, http, descriptor()), 0);
	ck_assert_uint_eq(covers_count(p), 2);
	ck_assert_uint_eq(covers_missing(p), 0);
}
END_TEST

START_TEST(not_more_than_there_may_be)
{
	struct place	*first = placed("room", 0);
	int		 fd;

	ck_assert_int_eq(covers_keep(p, first, descriptor()), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(covers_keep(p, placed("room", 0),
		    descriptor()), 0);
	fd = descriptor();
	ck_assert_int_eq(covers_keep(p, placed("room", 0), fd), -1);
	ck_assert(!is_open(fd));
	ck_assert_uint_eq(covers_count(p), 3);
	ck_assert_uint_eq(covers_missing(p), 1);
	ck_assert_int_eq(placement_release(p, first->id, NULL), 0);
	/* One that no shard has yet is none of those; nor when that comes to nothing. */
	first = placed("room", 0);
	ck_assert_uint_eq(covers_missing(p), 1);
	ck_assert_int_eq(placement_release(p, first->id, NULL), 0);
	ck_assert_uint_eq(covers_missing(p), 1);
	ck_assert_int_eq(covers_keep(p, placed("room", 0), descriptor()), 0);
	ck_assert_uint_eq(covers_missing(p), 1);
	covers_allow(p, 0);
	ck_assert(!covers_wanted(p));
	ck_assert_uint_eq(covers_count(p), 3);
}
END_TEST

START_TEST(it_moves_with_the_connection)
{
	struct place	*place = placed("room", 0);
	struct site	*to = place_site(place) == a ? b : a;
	struct reserve	*v;
	int		 fd = descriptor();

	ck_assert_int_eq(covers_keep(p, place, fd), 0);
	v = reserve_take(p, place, to);
	ck_assert_ptr_nonnull(v);
	reserve_arrived(v);
	reserve_settle(p, v);
	ck_assert_ptr_eq(place_site(place), to);
	ck_assert_int_eq(place->fd, fd);
	ck_assert(is_open(fd));
	ck_assert_uint_eq(covers_count(p), 1);
}
END_TEST

START_TEST(what_the_bounds_of_others_leave)
{
	struct settings	 set = { .cover = 1, .max_shards = 10,
			    .handshakes_max = 100, .home_max = 200,
			    .waiting_max = 10, .linger_max = 20 };

	ck_assert_uint_eq(covers_room(&set, 1000), 1000 - 330 - 40 - 256);
	ck_assert_uint_eq(covers_room(&set, 626), 0);
	ck_assert_uint_eq(covers_room(&set, 100), 0);
	set.cover = 0;
	ck_assert_uint_eq(covers_room(&set, 1000), 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("covers");
	TCase	*t = tcase_create("covers");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_cover_ends_with_its_place);
	tcase_add_test(t, a_cover_ends_with_its_site);
	tcase_add_test(t, taken_it_is_the_callers);
	tcase_add_test(t, one_for_a_place_and_none_for_plain_http);
	tcase_add_test(t, not_more_than_there_may_be);
	tcase_add_test(t, it_moves_with_the_connection);
	tcase_add_test(t, what_the_bounds_of_others_leave);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}
