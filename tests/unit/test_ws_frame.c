#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "proto/utf8.h"
#include "proto/ws_frame.h"

#define MAX	(1 << 20)

static const struct ws_limits	 limits = { MAX, 0 };

#define FIN	0x80
#define RSV1	0x40
#define BAD(c)	"!" #c " "

/*
 * A frame: first byte, payload.  What the decoder makes of a row's frames is
 * written as: t, b (message), p, o (ping, pong), c1000 (close), !1002 (bad).
 */
struct part {
	int		 b0;
	const char	*data;
	size_t		 len;
};
#define P(b0, s)	{ b0, s, sizeof(s) - 1 }
#define A50	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A125	A50 A50 "aaaaaaaaaaaaaaaaaaaaaaaaa"
#define TEXT	(FIN | WS_TEXT)
#define BIN	(FIN | WS_BINARY)
#define END	(FIN | WS_CONT)
#define PING	(FIN | WS_PING)
#define PONG	(FIN | WS_PONG)
#define CLOSE	(FIN | WS_CLOSE)

/* Numbers as in the Autobahn test suite. */
static const struct row {
	const char	*name, *want;
	struct part	 parts[6];
} rows[] = {
	{ "1.1.1 empty text", "t[] ", { P(TEXT, "") } },
	{ "1.1.2 text of 125", "t[" A125 "] ", { P(TEXT, A125) } },
	{ "1.1.3 text of 126", "t[" A125 "b] ", { P(TEXT, A125 "b") } },
	{ "1.2.1 empty binary", "b[] ", { P(BIN, "") } },
	{ "1.2.2 binary of 125", "b[" A125 "] ", { P(BIN, A125) } },
	{ "2.1 empty ping", "p[] ", { P(PING, "") } },
	{ "2.2 ping", "p[Hello] ", { P(PING, "Hello") } },
	{ "2.3 binary ping", "p[\xff\xfe] ", { P(PING, "\xff\xfe") } },
	{ "2.4 ping of 125", "p[" A125 "] ", { P(PING, A125) } },
	{ "2.5 ping of 126", BAD(1002), { P(PING, A125 "b") } },
	{ "2.7 pong unasked", "o[] ", { P(PONG, "") } },
	{ "2.8 pong with payload", "o[x] ", { P(PONG, "x") } },
	{ "2.9 pong, then ping", "o[x] p[y] ", { P(PONG, "x"), P(PING, "y") } },
	{ "2.10 pings", "p[1] p[2] p[3] ",
	    { P(PING, "1"), P(PING, "2"), P(PING, "3") } },
	{ "3.1 RSV1", BAD(1002), { P(TEXT | RSV1, "x") } },
	{ "3.2 RSV2 behind a text", "t[x] " BAD(1002),
	    { P(TEXT, "x"), P(TEXT | 0x20, "y"), P(PING, "") } },
	{ "3.3 RSV3", BAD(1002), { P(TEXT | 0x10, "x") } },
	{ "3.5 RSV1 and RSV3 in binary", BAD(1002), { P(BIN | 0x50, "x") } },
	{ "3.6 RSV2 in a ping", BAD(1002), { P(PING | 0x20, "x") } },
	{ "3.7 all in a close", BAD(1002), { P(CLOSE | 0x70, "") } },
	{ "4.1.1 opcode 3", BAD(1002), { P(FIN | 3, "") } },
	{ "4.1.2 opcode 4", BAD(1002), { P(FIN | 4, "x") } },
	{ "4.1.3 opcode 5 behind a text", "t[x] " BAD(1002),
	    { P(TEXT, "x"), P(FIN | 5, ""), P(PING, "") } },
	{ "4.1.4 opcode 6", BAD(1002), { P(FIN | 6, "x") } },
	{ "4.1.5 opcode 7", BAD(1002), { P(FIN | 7, "x") } },
	{ "4.2.1 opcode 11", BAD(1002), { P(FIN | 11, "") } },
	{ "4.2.2 opcode 12", BAD(1002), { P(FIN | 12, "x") } },
	{ "4.2.3 opcode 13", BAD(1002), { P(FIN | 13, "x") } },
	{ "4.2.4 opcode 14", BAD(1002), { P(FIN | 14, "x") } },
	{ "4.2.5 opcode 15", BAD(1002), { P(FIN | 15, "x") } },
	{ "5.1 ping in two", BAD(1002), { P(WS_PING, "a"), P(END, "b") } },
	{ "5.2 pong in two", BAD(1002), { P(WS_PONG, "a"), P(END, "b") } },
	{ "5.3 text in two", "t[ab] ", { P(WS_TEXT, "a"), P(END, "b") } },
	{ "5.6 ping between", "p[x] t[ab] ",
	    { P(WS_TEXT, "a"), P(PING, "x"), P(END, "b") } },
	{ "5.9 continuation of nothing", BAD(1002), { P(END, "a") } },
	{ "5.12 continuation of nothing, open", BAD(1002), { P(WS_CONT, "a") } },
	{ "5.15 continuation behind a whole text", "t[ab] " BAD(1002),
	    { P(WS_TEXT, "a"), P(END, "b"), P(WS_CONT, "c"), P(TEXT, "d") } },
	{ "5.18 new text within a text", BAD(1002),
	    { P(WS_TEXT, "a"), P(TEXT, "b") } },
	{ "5.18 new binary within a text", BAD(1002),
	    { P(WS_TEXT, "a"), P(WS_BINARY, "b") } },
	{ "5.19 pings between five parts", "p[x] p[y] t[abcd] ",
	    { P(WS_TEXT, "a"), P(WS_CONT, "b"), P(PING, "x"), P(WS_CONT, "c"),
	    P(PING, "y"), P(END, "d") } },
	{ "6.1.2 three empty parts", "t[] ",
	    { P(WS_TEXT, ""), P(WS_CONT, ""), P(END, "") } },
	{ "6.1.3 middle part only", "t[m] ",
	    { P(WS_TEXT, ""), P(WS_CONT, "m"), P(END, "") } },
	{ "last part only", "b[m] ",
	    { P(WS_BINARY, ""), P(WS_CONT, ""), P(END, "m") } },
	{ "6.2.1 UTF-8", "t[Hello-\xc2\xb5@\xc3\x9f] ",
	    { P(TEXT, "Hello-\xc2\xb5@\xc3\x9f") } },
	{ "6.2.3 cut within a character", "t[\xce\xba] ",
	    { P(WS_TEXT, "\xce"), P(END, "\xba") } },
	{ "6.3.1 surrogate", BAD(1007), { P(TEXT, "x\xed\xa0\x80y") } },
	{ "6.4.1 bad in the second part", BAD(1007),
	    { P(WS_TEXT, "ok"), P(WS_CONT, "\xf4\x90\x80\x80"), P(END, "") } },
	{ "6.6.1 ends within a character", BAD(1007), { P(TEXT, "\xce") } },
	{ "6.6.1 in parts", BAD(1007), { P(WS_TEXT, "\xce"), P(END, "") } },
	{ "6.8.1 five bytes", BAD(1007), { P(TEXT, "\xf8\x88\x80\x80\x80") } },
	{ "6.12.1 lone continuation", BAD(1007), { P(TEXT, "\x80") } },
	{ "6.14.1 overlong", BAD(1007), { P(TEXT, "\xc0\xaf") } },
	{ "6.22.1 noncharacter is fine", "t[\xef\xbf\xbe] ",
	    { P(TEXT, "\xef\xbf\xbe") } },
	{ "7.1.1 text, close", "t[x] c1000[] ",
	    { P(TEXT, "x"), P(CLOSE, "\x03\xe8") } },
	{ "7.1.2 second close is not heard", "c1000[] ",
	    { P(CLOSE, "\x03\xe8"), P(CLOSE, "\x03\xe8") } },
	{ "7.1.3 ping behind it is not heard", "c1000[] ",
	    { P(CLOSE, "\x03\xe8"), P(PING, "") } },
	{ "7.1.5 close within a message", "c1000[] ",
	    { P(WS_TEXT, "a"), P(CLOSE, "\x03\xe8"), P(END, "b") } },
	{ "7.3.1 empty close", "c1005[] ", { P(CLOSE, "") } },
	{ "7.3.2 close of one byte", BAD(1002), { P(CLOSE, "a") } },
	{ "7.3.4 with a reason", "c1000[Hello] ",
	    { P(CLOSE, "\x03\xe8Hello") } },
	{ "7.3.5 reason of 123", "c1000[" A50 A50 "bbbbbbbbbbbbbbbbbbbbbbb] ",
	    { P(CLOSE, "\x03\xe8" A50 A50 "bbbbbbbbbbbbbbbbbbbbbbb") } },
	{ "7.3.6 reason of 124", BAD(1002),
	    { P(CLOSE, "\x03\xe8" A50 A50 "bbbbbbbbbbbbbbbbbbbbbbbb") } },
	{ "7.5.1 reason not UTF-8", BAD(1007),
	    { P(CLOSE, "\x03\xe8\xce\xba\xed\xa0\x80") } },
	{ "reason ends within a character", BAD(1007),
	    { P(CLOSE, "\x03\xe8\xce") } },
	{ "close in two", BAD(1002), { P(WS_CLOSE, "\x03") } },
};

static void
frame(struct buf *b, int b0, const void *data, size_t len)
{
	static const uint8_t	 mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
	uint8_t			 head[WS_HEAD_MAX];
	size_t			 n;

	n = ws_head(head, WS_TEXT, len, 0);
	head[0] = (uint8_t)b0;
	head[1] |= 0x80;
	buf_add(b, head, n);
	buf_add(b, mask, 4);
	for (size_t i = 0; i < len; i++) {
		char	 c = (char)(((const uint8_t *)data)[i] ^ mask[i & 3]);
		buf_add(b, &c, 1);
	}
}

/* Decode in pieces of n bytes, each in memory of its own. */
static void
decode(struct buf *seen, const struct buf *all, size_t n,
    const struct ws_limits *l)
{
	struct ws_in		 in;
	struct ws_message	 m;
	enum ws_verdict		 v;
	size_t			 used, at, len;
	char			*piece;

	memset(&in, 0, sizeof(in));
	for (size_t from = 0; from < all->len; from += len) {
		len = n < all->len - from ? n : all->len - from;
		piece = malloc(len);
		ck_assert_ptr_nonnull(piece);
		memcpy(piece, all->data + from, len);
		for (at = 0; at < len; at += used) {
			v = ws_in_next(&in, l, piece + at, len - at, &used,
			    &m);
			ck_assert_uint_le(used, len - at);
			if (v == WS_MORE) {
				ck_assert_uint_eq(used, len - at);
				continue;
			}
			if (v == WS_BAD) {
				ck_assert_ptr_nonnull(m.why);
				buf_addf(seen, "!%u ", m.code);
				continue;
			}
			buf_addf(seen, "%c", m.opcode == WS_TEXT ? 't' :
			    m.opcode == WS_BINARY ? 'b' :
			    m.opcode == WS_PING ? 'p' :
			    m.opcode == WS_PONG ? 'o' : 'c');
			if (m.opcode == WS_CLOSE)
				buf_addf(seen, "%u", m.code);
			buf_adds(seen, m.compressed ? "z[" : "[");
			buf_add(seen, m.data, m.len);
			buf_adds(seen, "] ");
		}
		free(piece);
	}
	ws_in_clear(&in);
}

static void
expect(const char *name, const struct buf *all, const char *want,
    const struct ws_limits *l)
{
	struct buf	 seen = { 0 };

	for (size_t n = 1; n <= all->len; n++) {
		decode(&seen, all, n, l);
		ck_assert_msg(slice_is(slice_of(seen.data, seen.len), want),
		    "%s, %zu at a time: %.*s", name, n, (int)seen.len,
		    seen.data);
		seen.len = 0;
	}
	buf_clear(&seen);
}

START_TEST(frames_mean_the_same_however_they_are_cut)
{
	const struct row	*r = &rows[_i];
	struct buf		 all = { 0 };

	for (size_t i = 0; i < nitems(r->parts) && r->parts[i].data; i++)
		frame(&all, r->parts[i].b0, r->parts[i].data, r->parts[i].len);
	expect(r->name, &all, r->want, &limits);
	buf_clear(&all);
}
END_TEST

static const struct raw {
	const char	*name, *bytes;
	size_t		 len, early;	/* refused with these many bytes */
	uint16_t	 code;
} raws[] = {
#define H(name, s, e, c)	{ name, s, sizeof(s) - 1, e, c }
	H("not masked", "\x81\x05Hello", 2, 1002),
	H("ping not masked", "\x89\x00", 2, 1002),
	H("close not masked", "\x88\x02\x03\xe8", 2, 1002),
	H("125 in two bytes", "\x81\xfe\x00\x7d" "mask", 8, 1002),
	H("65535 in eight bytes", "\x82\xff\0\0\0\0\0\0\xff\xff" "mask", 14,
	    1002),
	H("top bit set", "\x82\xff\x80\0\0\0\0\0\0\0" "mask", 14, 1002),
	H("8 EiB", "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff" "mask", 14, 1009),
	H("one more than fits", "\x82\xff\0\0\0\0\0\x10\0\x01" "mask", 14,
	    1009),
	H("long ping at its length", "\x89\xfe", 2, 1002),
	H("ping of eight bytes' length", "\x89\xff", 2, 1002),
	/* Text is refused at the byte that cannot be right, amid its frame. */
	H("6.4.3 fail fast", "\x81\x8a\0\0\0\0ok\xf4\x90", 10, 1007),
	H("6.4.4 fail fast", "\x81\xfe\x01\0\0\0\0\0abc\xc1", 12, 1007),
#undef H
};

START_TEST(what_is_wrong_is_refused_as_soon_as_it_is_seen)
{
	const struct raw	*r = &raws[_i];
	struct ws_in		 in;
	struct ws_message	 m;
	size_t			 used;
	char			 c[64];

	memset(&in, 0, sizeof(in));
	for (size_t i = 0; i < r->early; i++) {
		enum ws_verdict	 v;

		c[0] = r->bytes[i];
		v = ws_in_next(&in, &limits, c, 1, &used, &m);
		ck_assert_msg(v == (i + 1 == r->early ? WS_BAD : WS_MORE),
		    "%s, byte %zu: %d", r->name, i, v);
		ck_assert_uint_eq(used, 1);
	}
	ck_assert_msg(m.code == r->code, "%s: %u", r->name, m.code);
	ck_assert_uint_eq(in.part.cap > 64, 0);
	ck_assert_int_eq(ws_in_idle(&in), 0);
	ws_in_clear(&in);

	memcpy(c, r->bytes, r->len);
	ck_assert_int_eq(ws_in_next(&in, &limits, c, r->len, &used, &m),
	    WS_BAD);
	ck_assert_uint_eq(m.code, r->code);
	ck_assert_uint_eq(used, r->len);
	ws_in_clear(&in);
}
END_TEST

START_TEST(every_close_code_is_judged_by_rfc_6455)
{
	struct ws_in		 in;
	struct ws_message	 m;
	struct buf		 b = { 0 };
	uint8_t			 payload[2];
	size_t			 used;

	for (unsigned code = 0; code < 65536; code++) {
		int	 fine = (code >= 1000 && code <= 1003) ||
			    (code >= 1007 && code <= 1014) ||
			    (code >= 3000 && code <= 4999);

		memset(&in, 0, sizeof(in));
		b.len = 0;
		bytes_put_be16(payload, (uint16_t)code);
		frame(&b, CLOSE, payload, 2);
		ck_assert_msg(ws_in_next(&in, &limits, b.data, b.len, &used,
		    &m) == (fine ? WS_GOT : WS_BAD), "%u", code);
		ck_assert_uint_eq(m.code, fine ? code : 1002);
	}
	buf_clear(&b);
}
END_TEST

START_TEST(lengths_on_both_sides_of_each_form_are_read)
{
	static const size_t	 lens[] = { 125, 126, 127, 128, 65535, 65536,
		65537, MAX };
	static char		 text[MAX];
	struct buf		 all = { 0 }, seen = { 0 };
	size_t			 len = lens[_i % 8];
	int			 op = _i < 8 ? TEXT : BIN;

	memset(text, '*', len);
	frame(&all, op, text, len);
	frame(&all, PING, "", 0);
	for (size_t n = 997; n < all.len * 2; n *= 31) {
		seen.len = 0;
		decode(&seen, &all, n, &limits);
		ck_assert_uint_eq(seen.len, len + 4 + 4);
		ck_assert_int_eq(seen.data[0], op == TEXT ? 't' : 'b');
		ck_assert(memcmp(seen.data + 2, text, len) == 0);
	}
	buf_clear(&all);
	buf_clear(&seen);
}
END_TEST

START_TEST(the_limit_is_over_all_parts)
{
	const struct ws_limits	 l = { 10, 0 };
	struct buf		 all = { 0 };

	frame(&all, WS_TEXT, "12345", 5);
	frame(&all, WS_CONT, "67890", 5);
	frame(&all, PING, A50, 50);
	frame(&all, END, "", 0);
	frame(&all, TEXT, "1234567890", 10);
	expect("ten", &all, "p[" A50 "] t[1234567890] t[1234567890] ", &l);
	all.len = 0;
	frame(&all, WS_TEXT, "12345", 5);
	frame(&all, WS_CONT, "67890", 5);
	frame(&all, END, "1", 1);
	expect("eleven", &all, "!1009 ", &l);
	all.len = 0;
	frame(&all, TEXT, "12345678901", 11);
	expect("eleven at once", &all, "!1009 ", &l);
	buf_clear(&all);
}
END_TEST

START_TEST(compressed_messages_are_told_and_not_read)
{
	const struct ws_limits	 l = { MAX, 1 };
	struct buf		 all = { 0 };

	frame(&all, TEXT | RSV1, "\xff", 1);
	frame(&all, WS_TEXT | RSV1, "\xfe", 1);
	frame(&all, PING, "", 0);
	frame(&all, END, "\xfd", 1);
	frame(&all, TEXT, "x", 1);
	frame(&all, END | RSV1, "x", 1);
	expect("", &all, "tz[\xff] p[] tz[\xfe\xfd] t[x] !1002 ", &l);
	all.len = 0;
	frame(&all, PING | RSV1, "x", 1);
	expect("a ping", &all, "!1002 ", &l);
	all.len = 0;
	frame(&all, WS_BINARY | RSV1, "x", 1);
	frame(&all, END | RSV1, "x", 1);
	expect("a part", &all, "!1002 ", &l);
	buf_clear(&all);
}
END_TEST

START_TEST(memory_grows_with_what_came_not_with_what_was_announced)
{
	struct ws_in		 in;
	struct ws_message	 m;
	size_t			 used;
	char			 head[] = "\x82\xff\0\0\0\0\0\x0f\0\0" "mask";
	char			 small[] = "\x82\xfe\xff\xff" "mask*";

	memset(&in, 0, sizeof(in));
	ck_assert_int_eq(ws_in_next(&in, &limits, head, 14, &used, &m),
	    WS_MORE);
	ck_assert_uint_eq(in.part.cap, 0);
	for (size_t i = 0; i < 100; i++)
		ws_in_next(&in, &limits, (char[]){ 'x' }, 1, &used, &m);
	ck_assert_uint_eq(in.part.len, 100);
	ck_assert_uint_le(in.part.cap, 200);
	ws_in_clear(&in);
	ws_in_next(&in, &limits, small, 9, &used, &m);
	ck_assert_uint_le(in.part.cap, 200);
	ws_in_clear(&in);
}
END_TEST

START_TEST(between_messages_nothing_need_be_kept)
{
	struct ws_in		 in;
	struct ws_message	 m;
	struct buf		 b = { 0 };
	size_t			 used;

	memset(&in, 0, sizeof(in));
	ck_assert_int_eq(ws_in_idle(&in), 1);
	frame(&b, TEXT, "hello", 5);
	ck_assert_int_eq(ws_in_next(&in, &limits, b.data, b.len, &used, &m),
	    WS_GOT);
	/* Handed out without a copy. */
	ck_assert_ptr_eq(m.data, b.data + 6);
	ck_assert_uint_eq(used, b.len);
	ck_assert_int_eq(ws_in_idle(&in), 1);
	ck_assert_ptr_null(in.part.data);
	b.len = 0;
	frame(&b, WS_TEXT, "a", 1);
	ws_in_next(&in, &limits, b.data, b.len, &used, &m);
	ck_assert_int_eq(ws_in_idle(&in), 0);
	b.len = 0;
	frame(&b, PING, "", 0);
	ws_in_next(&in, &limits, b.data, b.len, &used, &m);
	ck_assert_int_eq(ws_in_idle(&in), 0);
	b.len = 0;
	frame(&b, END, "b", 1);
	ck_assert_int_eq(ws_in_next(&in, &limits, b.data, 1, &used, &m),
	    WS_MORE);
	ck_assert_int_eq(ws_in_next(&in, &limits, b.data + 1, b.len - 1, &used,
	    &m), WS_GOT);
	ck_assert_int_eq(ws_in_idle(&in), 1);
	ws_in_clear(&in);
	ck_assert_ptr_null(in.part.data);
	buf_clear(&b);
}
END_TEST

START_TEST(the_header_we_send_is_minimal)
{
	static const struct {
		uint64_t	 len;
		size_t		 n;
		const char	*bytes;
	} heads[] = {
		{ 0, 2, "\x82\x00" }, { 125, 2, "\x82\x7d" },
		{ 126, 4, "\x82\x7e\x00\x7e" }, { 65535, 4, "\x82\x7e\xff\xff" },
		{ 65536, 10, "\x82\x7f\0\0\0\0\0\1\0\0" },
		{ 0x0102030405060708, 10, "\x82\x7f\1\2\3\4\5\6\7\10" },
	};
	uint8_t	 dst[WS_HEAD_MAX];

	for (size_t i = 0; i < nitems(heads); i++) {
		ck_assert_uint_eq(ws_head(dst, WS_BINARY, heads[i].len, 0),
		    heads[i].n);
		ck_assert_mem_eq(dst, heads[i].bytes, heads[i].n);
	}
	ck_assert_uint_eq(ws_head(dst, WS_TEXT, 3, 1), 2);
	ck_assert_int_eq(dst[0], FIN | RSV1 | WS_TEXT);
}
END_TEST

START_TEST(a_close_reason_is_cut_at_a_character)
{
	uint8_t	 dst[125];
	char	 reason[200];
	size_t	 n;

	ck_assert_uint_eq(ws_close_payload(dst, 1005, "x"), 0);
	ck_assert_uint_eq(ws_close_payload(dst, 1000, NULL), 2);
	ck_assert_mem_eq(dst, "\x03\xe8", 2);
	ck_assert_uint_eq(ws_close_payload(dst, 4999, "bye"), 5);
	ck_assert_mem_eq(dst, "\x13\x87" "bye", 5);
	/* A character of four bytes at each place around the limit. */
	for (size_t at = 115; at < 130; at++) {
		memset(reason, 'a', sizeof(reason));
		memcpy(reason + at, "\xf0\x9f\x98\x80", 5);
		n = ws_close_payload(dst, 1000, reason);
		ck_assert_uint_le(n, 125);
		ck_assert_uint_eq(n - 2, at + 4 <= 123 ? at + 4 :
		    at < 123 ? at : 123);
		ck_assert_int_eq(utf8_valid(dst + 2, n - 2), 1);
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("ws_frame");
	TCase	*t = tcase_create("ws_frame");
	SRunner	*r;
	int	 failed;

	tcase_add_loop_test(t, frames_mean_the_same_however_they_are_cut, 0,
	    (int)nitems(rows));
	tcase_add_loop_test(t, what_is_wrong_is_refused_as_soon_as_it_is_seen,
	    0, (int)nitems(raws));
	tcase_add_test(t, every_close_code_is_judged_by_rfc_6455);
	tcase_add_loop_test(t, lengths_on_both_sides_of_each_form_are_read, 0,
	    16);
	tcase_add_test(t, the_limit_is_over_all_parts);
	tcase_add_test(t, compressed_messages_are_told_and_not_read);
	tcase_add_test(t,
	    memory_grows_with_what_came_not_with_what_was_announced);
	tcase_add_test(t, between_messages_nothing_need_be_kept);
	tcase_add_test(t, the_header_we_send_is_minimal);
	tcase_add_test(t, a_close_reason_is_cut_at_a_character);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
