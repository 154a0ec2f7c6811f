/* A decoder that is packed and unpacked at any byte goes on as if nothing had happened. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/capsule.h"
#include "proto/ws_state.h"

#define MESSAGE_MAX	(1 << 20)

static unsigned	 seed;

/* Append a client's frame. */
static void
frame(struct buf *b, int op, int fin, int rsv1, const char *data, size_t n)
{
	uint8_t	 mask[4], be[8];
	char	 c;

	for (int i = 0; i < 4; i++)
		mask[i] = (uint8_t)rand_r(&seed);
	c = (char)(op | (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0));
	buf_add(b, &c, 1);
	c = (char)(0x80 | (n < 126 ? n : n < 65536 ? 126u : 127u));
	buf_add(b, &c, 1);
	if (n >= 65536) {
		bytes_put_be64(be, n);
		buf_add(b, be, 8);
	} else if (n >= 126) {
		bytes_put_be16(be, (uint16_t)n);
		buf_add(b, be, 2);
	}
	buf_add(b, mask, 4);
	for (size_t i = 0; i < n; i++) {
		c = (char)(data[i] ^ (char)mask[i & 3]);
		buf_add(b, &c, 1);
	}
}

/* Messages in one part and more, with pings between, of any kind; some end badly. */
static void
stream(struct buf *b, unsigned n)
{
	static const char	*words[] = {
		"", "a", "h\xc3\xa9llo", "\xe2\x82\xac\xf0\x9f\x98\x80",
		"\xff", "a longer text, which goes on and on, and is of more "
		"than 126 bytes, so that its length stands in two bytes of "
		"its header, not in one, and so on", "\xe2\x82",
	};
	const char		*w;
	size_t			 len, cut;
	int			 op, rsv1;

	for (unsigned i = 0; i < n; i++) {
		w = words[(unsigned)rand_r(&seed) % (rand_r(&seed) % 4 == 0 ?
		    7 : 4)];
		len = strlen(w);
		op = rand_r(&seed) % 2 ? WS_TEXT : WS_BINARY;
		rsv1 = rand_r(&seed) % 5 == 0;
		switch (rand_r(&seed) % 4) {
		case 0:
			cut = (size_t)rand_r(&seed) % (len + 1);
			frame(b, op, 0, rsv1, w, cut);
			if (rand_r(&seed) % 2)
				frame(b, WS_PING, 1, 0, "ping", 4);
			frame(b, WS_CONT, 0, 0, w + cut, 0);
			frame(b, WS_CONT, 1, 0, w + cut, len - cut);
			break;
		case 1:
			frame(b, WS_PONG, 1, 0, w, len > 125 ? 125 : len);
			break;
		default:
			frame(b, op, 1, rsv1, w, len);
			break;
		}
	}
	if (rand_r(&seed) % 3 == 0)
		frame(b, WS_CLOSE, 1, 0, "\x03\xe8" "bye", 5);
}

/* Pack, and go on with what is unpacked. */
static void
journey(struct ws_in *in)
{
	struct buf	 b = { 0 };
	struct ws_in	 there;

	ws_state_pack(&b, in);
	ck_assert_int_eq(b.failed, 0);
	ck_assert_int_eq(b.len == 0, ws_in_idle(in));
	ws_in_clear(in);
	ck_assert_int_eq(ws_state_unpack(&there, slice_of(b.data, b.len),
	    MESSAGE_MAX), 0);
	*in = there;
	buf_clear(&b);
}

/* What is decoded of s, which comes in pieces up to these bytes, with a journey after
 * each. */
static void
decode(struct buf *out, const struct buf *s, const size_t *cuts, size_t ncuts)
{
	struct ws_in	 in = { 0 };
	struct ws_limits limits = { MESSAGE_MAX, 1 };
	struct ws_message m;
	enum ws_verdict	 v = WS_MORE;
	char		*copy = malloc(s->len + 1), text[64];
	size_t		 at = 0, used;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, s->data, s->len);
	out->len = 0;
	for (size_t i = 0; i < ncuts && v != WS_BAD; i++) {
		while (at < cuts[i] && v != WS_BAD) {
			v = ws_in_next(&in, &limits, copy + at, cuts[i] - at,
			    &used, &m);
			at += used;
			if (v == WS_MORE)
				continue;
			snprintf(text, sizeof(text), "[%d %d %d %d %zu:", v,
			    m.opcode, m.compressed, m.code, m.len);
			buf_add(out, text, strlen(text));
			buf_add(out, m.data, m.len);
		}
		if (i + 1 < ncuts)
			journey(&in);
	}
	ws_in_clear(&in);
	free(copy);
}

/* 1 */
START_TEST(at_every_pair_of_bytes_it_goes_on)
{
	struct buf	 s = { 0 }, want = { 0 }, got = { 0 };

	seed = (unsigned)_i + 1;
	stream(&s, 4);
	decode(&want, &s, &s.len, 1);
	for (size_t a = 0; a <= s.len; a++)
		for (size_t b = a; b <= s.len; b += 1 + (b - a) / 16) {
			decode(&got, &s, (const size_t[]){ a, b, s.len }, 3);
			ck_assert_uint_eq(got.len, want.len);
			ck_assert_mem_eq(got.data, want.data, want.len);
		}
	buf_clear(&s);
	buf_clear(&want);
	buf_clear(&got);
}
END_TEST

/* 1 */
START_TEST(the_largest_message_travels_in_a_memfd)
{
	struct ws_in	 in = { 0 }, there;
	struct ws_limits limits = { 16 << 20, 0 };
	struct ws_message m;
	struct capsule	 cap = { .protocol = CAPSULE_WS }, got;
	struct buf	 s = { 0 }, state = { 0 }, record = { 0 };
	char		*big = calloc(1, 16 << 20), *back;
	size_t		 used, len;
	int		 fd;

	ck_assert_ptr_nonnull(big);
	seed = 7;
	frame(&s, WS_BINARY, 1, 0, big, 16 << 20);
	ck_assert_int_eq(ws_in_next(&in, &limits, s.data, s.len - 1, &used,
	    &m), WS_MORE);
	ws_state_pack(&state, &in);
	cap.state = slice_of(state.data, state.len);
	ck_assert_int_eq(capsule_encode(&record, &cap), 0);
	ck_assert_int_ne(fd = capsule_memfd(record.data, record.len), -1);
	ck_assert_ptr_nonnull(back = capsule_map(fd, &len));
	close(fd);
	ck_assert_int_eq(capsule_decode(&got, back, len), 0);
	/* Where less is allowed it is refused. */
	errno = 0;
	ck_assert_int_eq(ws_state_unpack(&there, got.state, (16 << 20) - 1),
	    -1);
	ck_assert_int_eq(errno, EPROTO);
	ck_assert_int_eq(ws_state_unpack(&there, got.state, 16 << 20), 0);
	ck_assert_int_eq(ws_in_next(&there, &limits, s.data + s.len - 1, 1,
	    &used, &m), WS_GOT);
	ck_assert_uint_eq(m.len, 16 << 20);
	ck_assert_mem_eq(m.data, big, m.len);
	ws_in_clear(&in);
	ws_in_clear(&there);
	buf_clear(&s);
	buf_clear(&state);
	buf_clear(&record);
	free(big);
	free(back);
}
END_TEST

/* What is damaged is refused, or a state that harms nobody. */
START_TEST(what_is_no_state_is_refused)
{
	struct buf	 s = { 0 }, state = { 0 };
	struct ws_limits limits = { MESSAGE_MAX, 1 };
	struct ws_in	 in = { 0 }, there;
	struct ws_message m;
	size_t		 used, at = 0;
	char		 copy[512], more[64];

	seed = (unsigned)_i;
	stream(&s, 3);
	s.len = (size_t)rand_r(&seed) % s.len;
	while (at < s.len && ws_in_next(&in, &limits, s.data + at, s.len - at,
	    &used, &m) != WS_BAD)
		at += used;
	ws_state_pack(&state, &in);
	for (size_t i = 0; state.len < sizeof(copy) && i < 8 * state.len;
	    i++) {
		memcpy(copy, state.data, state.len);
		copy[i / 8] ^= (char)(1 << i % 8);
		if (ws_state_unpack(&there, slice_of(copy, state.len),
		    MESSAGE_MAX) == -1)
			continue;
		memset(more, 'x', sizeof(more));
		ws_in_next(&there, &limits, more, sizeof(more), &used, &m);
		ws_in_clear(&there);
	}
	for (size_t i = 1; i < state.len; i++)
		ck_assert_int_eq(ws_state_unpack(&there, slice_of(state.data,
		    i), MESSAGE_MAX), -1);
	ws_in_clear(&in);
	buf_clear(&s);
	buf_clear(&state);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("ws_state");
	TCase	*t = tcase_create("ws_state");
	SRunner	*r;
	int	 failed;

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, at_every_pair_of_bytes_it_goes_on, 0, 30);
	tcase_add_test(t, the_largest_message_travels_in_a_memfd);
	tcase_add_loop_test(t, what_is_no_state_is_refused, 0, 100);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
