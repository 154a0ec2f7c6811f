#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/sock.h"
#include "common/turn.h"
#include "shardd/peers/link.h"
#include "shardd/peers/wire.h"
#include "tests/unit/loop.h"

struct side {
	struct links	*ls;
	struct wires	*wires;
	struct peer_id	 id;
	char		 path[64];
	uint64_t	 next;		/* seq that comes next */
	size_t		 messages, lost, back, dead, eased, missed;
	char		 why[128];
};

static struct side		 left, right;
static char			 dir[] = "/tmp/link.XXXXXX";
static int			 greet;	/* say ASKME when a link is up */
static int			 refuse;	/* messages */

/* ---- what links lead to ---- */

static int
side_message(void *arg, struct link *l, const struct gossip *m)
{
	struct side	*s = arg;

	if (refuse)
		return (-1);
	if (m->type == GOSSIP_ASKME) {
		ck_assert_uint_eq(s->messages, 0);
		link_set_askme(l, 1);
		return (0);
	}
	if (m->from != 2) {		/* of another group */
		s->messages++;
		return (0);
	}
	if (s->next != 0)
		ck_assert_uint_eq((m->type == GOSSIP_LOST ? m->after + 1 :
		    m->seq), s->next);
	s->next = m->seq + 1;
	if (m->type == GOSSIP_LOST) {
		s->missed += m->seq - m->after;
		return (0);
	}
	ck_assert_int_eq(m->type, GOSSIP_CAST);
	s->messages++;
	return (0);
}

static void
side_up(void *arg, struct link *l)
{
	const struct gossip	 m = { .type = GOSSIP_ASKME,
				    .flags = GOSSIP_F_ON };

	(void)arg;
	if (greet)
		ck_assert_int_eq(link_send(l, &m), 0);
}

static void
side_back(void *arg, struct link *l)
{
	struct side	*s = arg;

	ck_assert(link_is_up(l));
	s->back++;
}

static void
side_lost(void *arg, struct link *l, const char *why)
{
	struct side	*s = arg;

	ck_assert(!link_is_up(l));
	snprintf(s->why, sizeof(s->why), "%s", why);
	s->lost++;
}

static void
side_ended(void *arg, struct link *l, int dead)
{
	struct side	*s = arg;

	(void)l;
	s->dead += (size_t)dead;
}

static void
side_eased(void *arg, struct link *l, uint64_t replica)
{
	struct side	*s = arg;

	(void)l;
	ck_assert_uint_eq(replica, 2);
	s->eased++;
}

/* A note says which numbers are missing. */
static enum backlog_fate
side_drop(void *arg, struct link *l, struct gossip *m, int many)
{
	(void)arg, (void)l, (void)many;
	ck_assert_int_eq(m->type, GOSSIP_CAST);
	m->type = GOSSIP_LOST;
	m->after = m->seq - 1;
	m->payload = slice_of(NULL, 0);
	return (BACKLOG_NOTE);
}

static const struct link_ops ops = {
	side_message, side_up, side_back, side_lost, side_ended, side_eased,
	side_drop
};

/* ---- fixture ---- */

/* How many links it has. */
static size_t
links_up(struct side *s)
{
	size_t	 up;

	links_queued(s->ls, &up);
	return (up);
}

static void
listen_at(struct side *s)
{
	s->wires = wires_new(s->ls, s->path);
	ck_assert_ptr_nonnull(s->wires);
}

static void
side_init(struct side *s, uint32_t slot, uint64_t incarnation)
{
	memset(s, 0, sizeof(*s));
	s->next = 1;
	s->id = (struct peer_id){ NULL, slot, incarnation };
	s->ls = links_new(base, &s->id, &ops, s);
	ck_assert_ptr_nonnull(s->ls);
	snprintf(s->path, sizeof(s->path), "%s/link.%u", dir, slot);
}

static void
side_clear(struct side *s)
{
	wires_free(s->wires);
	links_free(s->ls);
	s->wires = NULL;
}

static void
setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	base = event_base_new();
	greet = 0;
	side_init(&left, 1, 0x11);
	side_init(&right, 2, 0x22);
	listen_at(&left);
	listen_at(&right);
}

static void
teardown(void)
{
	side_clear(&left);
	side_clear(&right);
	rmdir(dir);
	event_base_free(base);
}

static struct link *
get(struct side *s, struct side *other)
{
	struct link	*l = link_get(s->ls, &other->id, other->path);

	ck_assert_ptr_nonnull(l);
	return (l);
}

static struct link *
find(struct side *s, uint32_t slot, uint64_t incarnation)
{
	return (link_find(s->ls, &(struct peer_id){ NULL, slot, incarnation }));
}

static int
cast(struct link *l, uint64_t seq, size_t len)
{
	static char	 data[16 << 20];
	struct gossip	 m = { .type = GOSSIP_CAST, .to = 1, .from = 2,
			    .seq = seq, .payload = slice_of(data, len) };

	return (link_send(l, &m));
}

/* A stranger at s's socket, who says len bytes. */
static int
stranger(struct side *s, const void *data, size_t len)
{
	int	fd = sock_connect_unix(s->path, SOCK_STREAM);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(send(fd, data, len, MSG_NOSIGNAL), len);
	return (fd);
}

static void
say(struct side *s, int *fd, const struct gossip *m)
{
	struct buf	 b = { 0 };
	char		 frame[512];

	gossip_encode(&b, m, WIRE_VERSION);
	bytes_put_be32(frame, (uint32_t)b.len);
	memcpy(frame + 4, b.data, b.len);
	*fd = stranger(s, frame, 4 + b.len);
	buf_clear(&b);
}

static void
closes(int fd)
{
	char	data[4096];
	ssize_t	n;

	until((n = recv(fd, data, sizeof(data), MSG_DONTWAIT)) == 0 ||
	    (n == -1 && errno == ECONNRESET), 5000);
	close(fd);
}

/* ---- tests ---- */

START_TEST(lower_slot_dials_and_both_send)
{
	struct link	*l = get(&left, &right), *r = get(&right, &left);

	ck_assert_ptr_eq(get(&left, &right), l);
	for (uint64_t i = 1; i <= 100; i++) {
		ck_assert_int_eq(cast(l, i, 10), 0);
		ck_assert_int_eq(cast(r, i, 10), 0);
	}
	ck_assert(!link_is_up(l));
	until(left.messages == 100 && right.messages == 100, 3000);
	ck_assert(link_is_up(l) && link_is_up(r));
	ck_assert_uint_eq(link_slot(r), 1);
	ck_assert_uint_eq(link_peer(r)->incarnation, 0x11);
	ck_assert_ptr_eq(find(&right, 1, 0x11), r);
	ck_assert_ptr_null(find(&right, 1, 0x12));
	ck_assert_uint_eq(left.lost + right.lost, 0);
}
END_TEST

START_TEST(waits_until_the_other_listens)
{
	struct link	*l;

	side_clear(&right);
	side_init(&right, 2, 0x22);
	l = get(&left, &right);
	ck_assert_int_eq(cast(l, 1, 10), 0);
	for (int i = 0; i < 50; i++)
		turn();
	ck_assert(!link_is_up(l));
	listen_at(&right);
	until(right.messages == 1, 3000);
	ck_assert_uint_eq(left.lost, 0);
}
END_TEST

START_TEST(askme_is_the_first_that_a_link_hears)
{
	struct link	*l = get(&left, &right);

	greet = 1;
	ck_assert_int_eq(cast(l, 1, 10), 0);
	until(right.messages == 1, 3000);
	ck_assert(link_askme(find(&right, 1, 0x11)));
}
END_TEST

START_TEST(a_lost_link_is_reported_by_both_and_dialled_again)
{
	struct link	*l = get(&left, &right), *r;
	struct gossip	 m = { .type = GOSSIP_ASKME };

	until(link_is_up(l) &&
	    (r = find(&right, 1, 0x11)) != NULL && link_is_up(r), 3000);
	link_set_askme(r, 1);
	refuse = 1;			/* the receiver ends the link */
	ck_assert_int_eq(link_send(l, &m), 0);
	until(left.lost == 1 && right.lost == 1, 3000);
	ck_assert_uint_eq(left.lost, 1);
	ck_assert_uint_eq(right.lost, 1);
	ck_assert_str_eq(right.why, "a message was refused");
	ck_assert_uint_eq(left.back + right.back, 0);
	refuse = 0;
	until(link_is_up(l) && link_is_up(r), 3000);
	ck_assert(left.back == 1 && right.back == 1);
	ck_assert(!link_askme(r));	/* what it said before is void */
	ck_assert_int_eq(cast(l, 1, 10), 0);
	until(right.messages == 1, 3000);
}
END_TEST

START_TEST(dead_is_forgotten_and_not_dialled)
{
	struct link	*l = get(&left, &right);

	until(link_is_up(l), 3000);
	link_dead(left.ls, &right.id);
	ck_assert_ptr_null(find(&left, 2, 0x22));
	ck_assert_uint_eq(left.dead, 1);
	ck_assert_uint_eq(left.lost, 0);
	until(right.lost == 1, 3000);
	link_dead(left.ls, &right.id);	/* again: nothing */
	ck_assert_uint_eq(left.dead, 1);
}
END_TEST

START_TEST(over_its_mark_it_says_so_and_eases)
{
	struct link	*l = get(&left, &right);

	until(link_is_up(l), 3000);
	ck_assert(!link_is_over(l, 2));
	for (uint64_t i = 1; i <= 2; i++)	/* the first is with the wire */
		ck_assert_int_eq(cast(l, i, 6 << 20), 0);
	ck_assert(!link_is_over(l, 2));
	ck_assert_int_eq(cast(l, 3, 6 << 20), 0);
	ck_assert(link_is_over(l, 2));
	ck_assert(!link_is_over(l, 3));		/* another group */
	ck_assert(links_any_wait(left.ls));
	until(right.messages == 3, 5000);
	until(left.eased == 1, 3000);
	ck_assert(!link_is_over(l, 2));
	until(!links_any_wait(left.ls), 3000);
}
END_TEST

START_TEST(what_does_not_fit_is_told_and_nothing_else_is_lost)
{
	struct gossip	 other = { .type = GOSSIP_CAST, .to = 5, .from = 6,
			    .seq = 1, .payload = slice_str("x") };
	struct link	*l = get(&left, &right);

	until(link_is_up(l), 3000);
	for (uint64_t i = 1; i <= 5; i++)	/* one is with the wire */
		ck_assert_int_eq(cast(l, i, 15 << 20), 0);
	ck_assert_int_eq(cast(l, 6, 15 << 20), -1);
	ck_assert_int_eq(errno, ENOBUFS);
	ck_assert_int_eq(cast(l, 7, 15 << 20), -1);
	ck_assert_int_eq(link_send(l, &other), 0);
	ck_assert_int_eq(cast(l, 8, 10), 0);
	until(right.messages == 7 && right.next == 9, 10000);
	ck_assert_uint_eq(right.missed, 2);
	ck_assert_uint_eq(left.lost + right.lost, 0);
}
END_TEST

START_TEST(never_up_it_is_given_up_after_its_time)
{
	struct link	*l;

	side_clear(&right);
	side_init(&right, 2, 0x22);
	l = get(&left, &right);
	for (uint64_t i = 1; i <= 4; i++)
		ck_assert_int_eq(cast(l, i, 15 << 20), 0);
	ck_assert(link_is_over(l, 2));
	until(left.lost == 1, 15000);
	ck_assert_str_eq(left.why, "no link within 10 s");
	ck_assert_int_eq(cast(l, 5, 15), -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_uint_eq(left.lost, 1);
	listen_at(&right);
	until(link_is_up(l), 3000);
	ck_assert_int_eq(cast(l, 6, 15), 0);
	until(right.messages == 1, 3000);
	ck_assert_uint_eq(right.missed, 5);
}
END_TEST

START_TEST(what_waits_outlives_a_wire)
{
	struct link	*l = get(&left, &right);

	until(link_is_up(l), 3000);
	for (uint64_t i = 1; i <= 4; i++)
		ck_assert_int_eq(cast(l, i, 10 << 20), 0);
	refuse = 1;			/* the receiver ends the wire at the first */
	until(left.lost == 1 && right.lost == 1, 5000);
	refuse = 0;
	right.next = 0;			/* one or two were with the wire */
	until(right.next == 5, 10000);
	ck_assert_uint_ge(right.messages, 2);
	ck_assert_uint_eq(right.missed, 0);
}
END_TEST

START_TEST(strangers_are_refused)
{
	static const char	 garbage[] = "GET / HTTP/1.1\r\n\r\n";
	static const struct gossip bad[] = {
		{ .type = GOSSIP_DONE, .ask = 1 },
		{ .type = GOSSIP_HELLO, .slot = 0, .incarnation = 9,
		    .low = 7, .high = 9 },
		{ .type = GOSSIP_HELLO, .slot = 0, .incarnation = 9,
		    .low = 0, .high = 0 },
		{ .type = GOSSIP_HELLO, .slot = 200, .incarnation = 9,
		    .low = 1, .high = 1 },
		{ .type = GOSSIP_HELLO, .slot = 2, .incarnation = 0x22,
		    .low = 1, .high = 1 },
	};
	int	 fd;

	closes(stranger(&right, garbage, sizeof(garbage)));
	closes(stranger(&right, "\0\0\0\3abc", 7));
	for (size_t i = 0; i < nitems(bad); i++) {
		say(&right, &fd, &bad[i]);
		closes(fd);
	}
	ck_assert_uint_eq(links_up(&right), 0);
	closes(stranger(&right, "", 0));	/* says nothing: 2 s */
	ck_assert_uint_eq(right.lost, 0);
}
END_TEST

/* A shard of a later version: it has a message and a field that are not known here. */
START_TEST(what_a_later_version_says_is_passed_over)
{
	static const char	 more[] = "\0\0\0\4\x92\x7f\xa1x"
				    "\0\0\0\xf\x9b\x03\x00\x01\x03\x01\x00\xa0\x02"
				    "\x01\x00\xa1y" "ab";
	struct gossip		 hello = { .type = GOSSIP_HELLO, .slot = 1,
				    .incarnation = 0x11, .low = 1, .high = 1 };
	int			 fd;

	say(&right, &fd, &hello);
	until(links_up(&right) == 1, 3000);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(write(fd, more, sizeof(more) - 1),
		    sizeof(more) - 1);
	until(right.messages == 2, 3000);
	ck_assert_uint_eq(right.lost, 0);
	close(fd);
}
END_TEST

/* What is meant for all is written so that whoever has not said hello can read it, too. */
START_TEST(a_link_speaks_as_the_oldest_until_the_other_has_said_what_it_speaks)
{
	struct link	*l;

	links_set_version(left.ls, 2);
	l = get(&left, &right);
	ck_assert_uint_eq(link_version(l), WIRE_OLDEST);
	until(link_is_up(l), 3000);
	ck_assert_uint_eq(link_version(l), 2);
	ck_assert_uint_eq(link_version(find(&right, 1, 0x11)), 2);
}
END_TEST

START_TEST(a_second_link_replaces_nothing)
{
	struct gossip	 hello = { .type = GOSSIP_HELLO, .slot = 1,
			    .incarnation = 0x11, .low = 1, .high = 1 };
	struct link	*l = get(&left, &right);
	int		 fd;

	until(link_is_up(l), 3000);
	say(&right, &fd, &hello);
	closes(fd);
	ck_assert_int_eq(cast(l, 1, 10), 0);
	until(right.messages == 1, 3000);
	ck_assert_uint_eq(right.lost, 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("link");
	TCase	*tc = tcase_create("link");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, lower_slot_dials_and_both_send);
	tcase_add_test(tc, waits_until_the_other_listens);
	tcase_add_test(tc, askme_is_the_first_that_a_link_hears);
	tcase_add_test(tc, a_lost_link_is_reported_by_both_and_dialled_again);
	tcase_add_test(tc, dead_is_forgotten_and_not_dialled);
	tcase_add_test(tc, over_its_mark_it_says_so_and_eases);
	tcase_add_test(tc, what_does_not_fit_is_told_and_nothing_else_is_lost);
	tcase_add_test(tc, what_waits_outlives_a_wire);
	tcase_add_test(tc, never_up_it_is_given_up_after_its_time);
	tcase_add_test(tc, strangers_are_refused);
	tcase_add_test(tc, what_a_later_version_says_is_passed_over);
	tcase_add_test(tc,
	    a_link_speaks_as_the_oldest_until_the_other_has_said_what_it_speaks);
	tcase_add_test(tc, a_second_link_replaces_nothing);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
