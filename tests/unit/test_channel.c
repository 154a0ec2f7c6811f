#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/fdpass.h"
#include "common/turn.h"
#include "proto/capsule.h"
#include "proto/channel.h"
#include "tests/unit/descriptors.h"

struct side {
	struct control	*c;
	size_t		 messages, packets, ends, sents, cuts, fds;
	uint64_t	 next_id;	/* 0: any order */
	uint64_t	 adopted;
	int		 refuse;	/* the next message */
	int		 answer;	/* ADOPT by ADOPTED */
	char		 why[128];
};

static struct event_base	*base;
static struct side		 left, right;
static int			 sv[2];

/* ---- fixture ---- */

/* A descriptor that says who it is. */
static int
marked_fd(uint64_t id)
{
	int	fd = eventfd((unsigned)id, EFD_CLOEXEC | EFD_NONBLOCK);

	ck_assert_int_ne(fd, -1);
	return (fd);
}

static void
check_mark(int fd, uint64_t id)
{
	uint64_t	v = 0;

	ck_assert_int_eq(read(fd, &v, sizeof(v)), sizeof(v));
	ck_assert_uint_eq(v, id);
}

static int
message(struct control *c, const struct ctl *m, int *fds, size_t nfds,
    int cut, void *arg)
{
	struct side	*s = arg;
	struct ctl	 answer = { .type = CTL_ADOPTED, .id = m->id };
	struct capsule	 capsule;
	char		*record;
	size_t		 len;

	ck_assert_uint_eq(s->ends, 0);
	s->messages++;
	s->cuts += cut != 0;
	s->fds += nfds;
	if (s->refuse) {
		errno = EPROTO;
		return (-1);
	}
	if (m->type == CTL_ADOPTED)
		ck_assert_uint_eq(m->id, ++s->adopted);
	else if (s->next_id != 0)
		ck_assert_uint_eq(m->id, s->next_id++);
	if (m->type != CTL_ADOPT || cut)
		return (0);
	ck_assert_uint_eq(nfds, ctl_fds(m));
	check_mark(fds[0], m->id);
	if (m->flags & CTL_F_MEMFD) {
		ck_assert_ptr_nonnull(record = capsule_map(fds[1], &len));
		ck_assert_int_eq(capsule_decode(&capsule, record, len), 0);
		ck_assert_uint_eq(capsule.id, m->id);
		free(record);
	} else if (m->value.len != 0) {
		ck_assert_int_eq(capsule_decode(&capsule, m->value.data,
		    m->value.len), 0);
		ck_assert_uint_eq(capsule.id, m->id);
	}
	if (s->answer) {
		close(fds[0]);
		fds[0] = -1;
		ck_assert_int_eq(control_send(c, &answer, NULL), 0);
	}
	return (0);
}

static void
packet(struct control *c, void *arg)
{
	struct side	*s = arg;

	(void)c;
	s->packets++;
}

static void
end(struct control *c, const char *why, void *arg)
{
	struct side	*s = arg;

	s->ends++;
	snprintf(s->why, sizeof(s->why), "%s", why);
	control_free(c);
	s->c = NULL;
}

static void
sent(struct control *c, void *arg)
{
	struct side	*s = arg;

	(void)c;
	s->sents++;
}

static void
turns(int n)
{
	while (n-- > 0) {
		turn_end();
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
	turn_end();
}

static struct control *
channel(int fd, struct side *s)
{
	struct control	*c;

	c = control_new(base, fd, "test", message, packet, end, s);
	ck_assert_ptr_nonnull(c);
	control_set_sent_cb(c, sent);
	s->c = c;
	return (c);
}

static void
setup(void)
{
	memset(&left, 0, sizeof(left));
	memset(&right, 0, sizeof(right));
	ck_assert_ptr_nonnull(base = event_base_new());
	ck_assert_int_eq(socketpair(AF_UNIX,
	    SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv), 0);
	channel(sv[0], &left);
	channel(sv[1], &right);
}

static void
teardown(void)
{
	control_free(left.c);
	control_free(right.c);
	event_base_free(base);
}

static void
small_buffer(int fd, int bytes)
{
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes,
	    sizeof(bytes)), 0);
}

static void
send_ping(struct control *c, uint64_t id)
{
	struct ctl	m = { .type = CTL_PING, .id = id };

	ck_assert_int_eq(control_send(c, &m, NULL), 0);
}

/* An ADOPT with a real record, every tenth in a memfd.  Returns its fd. */
static int
send_adopt(struct control *c, uint64_t id, size_t early)
{
	static char	bytes[CAPSULE_INLINE * 2];
	struct capsule	capsule = { .id = id, .protocol = CAPSULE_WS,
			    .early = { bytes, early } };
	struct ctl	m = { .type = CTL_ADOPT, .id = id };
	struct buf	b = { 0 };
	int		fds[2];

	fds[0] = marked_fd(id);
	if (id % 10 == 0)
		capsule.early.len = sizeof(bytes);
	ck_assert_int_eq(capsule_encode(&b, &capsule), 0);
	if (b.len > CAPSULE_INLINE) {
		m.flags = CTL_F_MEMFD;
		ck_assert_int_ne(fds[1] = capsule_memfd(b.data, b.len), -1);
	} else
		m.value = slice_of(b.data, b.len);
	ck_assert_int_eq(control_send(c, &m, fds), 0);
	buf_clear(&b);
	return (fds[0]);
}

/* ---- claims ---- */

START_TEST(a_thousand_capsules_pass_a_small_buffer_once_each_in_order)
{
	int		fds[1001];
	size_t		before = open_descriptors();
	uint64_t	id, closed = 0;

	small_buffer(sv[0], 16 << 10);
	small_buffer(sv[1], 4 << 10);
	right.next_id = 1;
	right.answer = 1;
	for (id = 1; id <= 1000; id++) {
		fds[id] = send_adopt(left.c, id, id % 1500);
		if (id % 100 == 0)
			turns(1);
		while (closed < left.adopted)
			close(fds[++closed]);
	}
	for (int i = 0; i < 1000 && left.adopted < 1000; i++)
		turns(1);
	while (closed < left.adopted)
		close(fds[++closed]);
	ck_assert_uint_eq(left.adopted, 1000);
	ck_assert_uint_eq(right.messages, 1000);
	ck_assert_uint_eq(right.fds, 1100);
	ck_assert_uint_ge(right.packets, 1000 / CAPSULES_MAX);
	ck_assert_uint_gt(left.sents, 0);
	ck_assert_uint_eq(control_sent(left.c), 1000);
	ck_assert_uint_eq(control_queued(left.c), 1000);
	ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

START_TEST(messages_of_a_turn_share_packets_of_at_most_eight_capsules)
{
	int	fds[20];

	for (uint64_t i = 0; i < 20; i++)
		send_ping(left.c, i);
	turns(3);
	ck_assert_uint_eq(right.messages, 20);
	ck_assert_uint_eq(right.packets, 1);
	for (uint64_t i = 0; i < 20; i++)
		fds[i] = send_adopt(left.c, 101 + 2 * i, 10);
	turns(3);
	ck_assert_uint_eq(right.messages, 40);
	ck_assert_uint_eq(right.packets, 1 + 3);
	for (size_t i = 0; i < 20; i++)
		close(fds[i]);
}
END_TEST

START_TEST(descriptors_that_nobody_takes_are_closed)
{
	size_t	before = open_descriptors();
	int	fd = send_adopt(left.c, 10, 0);		/* with a memfd */

	turns(3);
	ck_assert_uint_eq(right.fds, 2);
	close(fd);
	ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

START_TEST(freeing_drops_the_queue_and_its_memfds_only)
{
	size_t	before = open_descriptors();
	int	fd = send_adopt(left.c, 10, 0);

	ck_assert_uint_eq(open_descriptors(), before + 2);
	control_free(left.c);
	left.c = NULL;
	ck_assert_uint_eq(open_descriptors(), before);	/* the socket went too */
	check_mark(fd, 10);
	close(fd);
	turns(2);
	ck_assert_uint_eq(right.messages, 0);
	ck_assert_uint_eq(right.ends, 1);
}
END_TEST

START_TEST(the_end_comes_once_and_after_all_that_was_queued)
{
	right.next_id = 1;
	for (uint64_t i = 1; i <= 200; i++) {
		send_ping(left.c, i);
		control_flush(left.c);		/* a packet each */
	}
	/* Unread bytes on its side: ours is reset, and that is not the end. */
	send_ping(right.c, 1);
	ck_assert_int_eq(control_flush(right.c), 0);
	control_free(left.c);
	left.c = NULL;
	turns(1);
	ck_assert_uint_eq(right.ends, 0);	/* a packet limit for each turn */
	turns(20);
	ck_assert_uint_eq(right.messages, 200);
	ck_assert_uint_eq(right.ends, 1);
	ck_assert_str_eq(right.why, "the other side closed the channel");
}
END_TEST

START_TEST(a_failed_write_ends_it_from_the_loop_after_reading)
{
	right.next_id = 1;
	for (uint64_t i = 1; i <= 5; i++)
		send_ping(left.c, i);
	ck_assert_int_eq(control_flush(left.c), 0);
	control_free(left.c);
	left.c = NULL;
	send_ping(right.c, 1);
	errno = 0;
	ck_assert_int_eq(control_flush(right.c), -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_uint_eq(right.ends, 0);
	send_ping(right.c, 2);			/* still harmless */
	ck_assert_int_eq(control_flush(right.c), -1);
	turns(3);
	ck_assert_uint_eq(right.messages, 5);
	ck_assert_uint_eq(right.ends, 1);
	ck_assert_str_eq(right.why, strerror(EPIPE));
}
END_TEST

START_TEST(a_peer_that_only_stops_reading_is_an_end_too)
{
	ck_assert_int_eq(shutdown(sv[0], SHUT_RD), 0);
	send_ping(left.c, 1);
	ck_assert_int_eq(control_flush(left.c), 0);
	send_ping(right.c, 1);
	ck_assert_int_eq(control_flush(right.c), -1);
	turns(3);
	ck_assert_uint_eq(right.messages, 1);
	ck_assert_uint_eq(right.ends, 1);
}
END_TEST

START_TEST(lost_descriptors_are_reported_with_their_messages)
{
	struct rlimit	 rl, old;
	int		 a, b, low;

	send_ping(left.c, 1);
	a = send_adopt(left.c, 2, 0);
	b = send_adopt(left.c, 3, 0);
	send_ping(left.c, 4);
	ck_assert_int_eq(control_flush(left.c), 0);
	/* No descriptor is free below the limit. */
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = dup(0);
	close(low);
	rl = old;
	rl.rlim_cur = (rlim_t)low;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
	right.next_id = 1;
	turns(2);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_uint_eq(right.messages, 4);
	ck_assert_uint_eq(right.cuts, 2);
	ck_assert_uint_eq(right.fds, 0);
	ck_assert_uint_eq(right.ends, 0);
	check_mark(a, 2);			/* still whole on our side */
	check_mark(b, 3);
	close(a);
	close(b);
}
END_TEST

START_TEST(a_full_socket_is_continued_and_told)
{
	uint64_t	i;

	small_buffer(sv[0], 4 << 10);
	for (i = 1; i <= 10000; i++) {
		send_ping(left.c, i);
		if (control_flush(left.c) == -1)
			break;
	}
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_uint_lt(control_sent(left.c), control_queued(left.c));
	send_ping(left.c, ++i);
	errno = 0;
	ck_assert_int_eq(control_flush(left.c), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_uint_eq(left.sents, 0);
	right.next_id = 1;
	turns(20);
	ck_assert_uint_gt(left.sents, 0);
	ck_assert_uint_eq(control_sent(left.c), i);
	ck_assert_uint_eq(right.messages, i);
	ck_assert_int_eq(control_flush(left.c), 0);
}
END_TEST

START_TEST(a_batch_over_the_send_buffer_is_split)
{
	char		text[400];
	struct ctl	m = { .type = CTL_STATUS,
			    .text = { text, sizeof(text) } };

	memset(text, 't', sizeof(text));
	small_buffer(sv[0], 1);			/* the kernel's least, 4608 */
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(control_send(left.c, &m, NULL), 0);
	turns(100);
	ck_assert_uint_eq(right.messages, 100);
	ck_assert_uint_gt(right.packets, 100 * 400 / 4608);
	ck_assert_uint_eq(left.ends, 0);
}
END_TEST

START_TEST(a_message_over_the_send_buffer_is_the_end)
{
	static char	text[CTL_TEXT_MAX];
	struct ctl	m = { .type = CTL_STATUS,
			    .text = { text, sizeof(text) } };

	small_buffer(sv[0], 1);
	ck_assert_int_eq(control_send(left.c, &m, NULL), 0);
	turns(4);
	ck_assert_uint_eq(left.ends, 1);
	ck_assert_uint_eq(right.ends, 1);
	ck_assert_uint_eq(right.messages, 0);
}
END_TEST

START_TEST(the_queue_and_each_message_are_bounded)
{
	static char	text[CTL_TEXT_MAX + 1];
	struct ctl	m = { .type = CTL_STATUS,
			    .text = { text, sizeof(text) } };
	int		n;

	errno = 0;
	ck_assert_int_eq(control_send(left.c, &m, NULL), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	m.text.len = CTL_TEXT_MAX;
	for (n = 0; control_send(left.c, &m, NULL) == 0; n++)
		;
	ck_assert_int_eq(errno, ENOBUFS);
	ck_assert_uint_le((uint64_t)n * CTL_TEXT_MAX, 64 << 20);
	ck_assert_int_gt(n, 1000);
	ck_assert_uint_eq(control_queued(left.c), n);
}
END_TEST

START_TEST(the_largest_message_passes)
{
	static char	text[CTL_TEXT_MAX];
	struct ctl	m = { .type = CTL_STATUS,
			    .text = { text, sizeof(text) } };

	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(control_send(left.c, &m, NULL), 0);
	turns(10);
	ck_assert_uint_eq(right.messages, 10);
	ck_assert_uint_eq(right.packets, 10);
}
END_TEST

START_TEST(a_refused_message_ends_it_and_closes_its_descriptors)
{
	size_t	before = open_descriptors();
	int	a, b;

	right.refuse = 1;
	a = send_adopt(left.c, 1, 0);
	b = send_adopt(left.c, 2, 0);
	turns(3);
	close(a);
	close(b);
	ck_assert_uint_eq(right.messages, 1);
	ck_assert_uint_eq(right.packets, 0);
	ck_assert_uint_eq(right.ends, 1);
	ck_assert_uint_eq(left.ends, 1);
	ck_assert_uint_eq(open_descriptors(), before - 2);
}
END_TEST

static const struct wrong {
	const char	*bytes;
	size_t		 len, nfds;
} wrong[] = {
#define W(s, n)	{ s, sizeof(s) - 1, n }
	W("x", 0),				/* no array */
	W("\xdd\xff\xff\xff\xff", 0),
	W("\x91\x01", 0),			/* no message */
	W("\x91\x91\x00", 0),			/* no such type */
	W("\x91\x91\x7f", 1),			/* of a later version, with a descriptor */
	W("\x91\x91\x12", 0),			/* PING without a number */
	W("\x92\x92\x12\x01\x91\x00", 0),	/* the second one */
	W("\x91\x92\x12\x01", 1),		/* PING with a descriptor */
	W("\x91\x96\x0d\x01\x01\x00\x00\xc4\x00", 0),	/* ADOPT without */
	W("\x91\x96\x0d\x01\x01\x00\x00\xc4\x00", 2),	/* and with two */
	W("\x91\x96\x0d\x01\x01\x10\x00\xc4\x00", 1),	/* memfd missing */
#undef W
};

START_TEST(what_is_not_a_packet_of_ours_ends_it_unheard)
{
	size_t	before = open_descriptors();
	int	fds[2] = { 0, 1 };

	ck_assert_int_eq(fdpass_send(sv[0], fds, wrong[_i].nfds,
	    wrong[_i].bytes, wrong[_i].len), 0);
	turns(2);
	ck_assert_uint_eq(right.messages, 0);
	ck_assert_uint_eq(right.ends, 1);
	turns(2);
	ck_assert_uint_eq(left.ends, 1);
	ck_assert_uint_eq(open_descriptors(), before - 2);
}
END_TEST

/* A packet of a later version: a type that is not known here, a PING with a field
 * more than here, and a HELD. */
START_TEST(what_a_later_version_says_is_passed_over)
{
	static const char	 bytes[] = "\x93\x92\x7f\xa1x\x93\x12\x01\xa1y"
				    "\x91\x04";

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(send(sv[0], bytes, sizeof(bytes) - 1, 0),
		    sizeof(bytes) - 1);
	turns(2);
	ck_assert_uint_eq(right.messages, 6);
	ck_assert_uint_eq(right.ends, 0);
}
END_TEST

START_TEST(too_large_or_too_full_a_packet_ends_it)
{
	static char	bytes[PACKET_MAX + 1];
	struct buf	b = { 0 };
	struct ctl	m = { .type = CTL_HELD };

	if (_i == 0)
		ck_assert_int_eq(send(sv[0], bytes, sizeof(bytes), 0),
		    sizeof(bytes));
	else {
		pack_array(&b, 1000);
		for (int i = 0; i < 1000; i++)
			ctl_encode(&b, &m);
		ck_assert_int_eq(send(sv[0], b.data, b.len, 0), b.len);
		buf_clear(&b);
	}
	turns(2);
	ck_assert_uint_eq(right.ends, 1);
	ck_assert_uint_eq(right.messages, 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("channel");
	TCase	*t = tcase_create("channel");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 20);
	tcase_add_test(t,
	    a_thousand_capsules_pass_a_small_buffer_once_each_in_order);
	tcase_add_test(t,
	    messages_of_a_turn_share_packets_of_at_most_eight_capsules);
	tcase_add_test(t, descriptors_that_nobody_takes_are_closed);
	tcase_add_test(t, freeing_drops_the_queue_and_its_memfds_only);
	tcase_add_test(t, the_end_comes_once_and_after_all_that_was_queued);
	tcase_add_test(t, a_failed_write_ends_it_from_the_loop_after_reading);
	tcase_add_test(t, a_peer_that_only_stops_reading_is_an_end_too);
	tcase_add_test(t, lost_descriptors_are_reported_with_their_messages);
	tcase_add_test(t, a_full_socket_is_continued_and_told);
	tcase_add_test(t, a_batch_over_the_send_buffer_is_split);
	tcase_add_test(t, a_message_over_the_send_buffer_is_the_end);
	tcase_add_test(t, the_queue_and_each_message_are_bounded);
	tcase_add_test(t, the_largest_message_passes);
	tcase_add_test(t, a_refused_message_ends_it_and_closes_its_descriptors);
	tcase_add_loop_test(t, what_is_not_a_packet_of_ours_ends_it_unheard, 0,
	    (int)nitems(wrong));
	tcase_add_test(t, what_a_later_version_says_is_passed_over);
	tcase_add_loop_test(t, too_large_or_too_full_a_packet_ends_it, 0, 2);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
