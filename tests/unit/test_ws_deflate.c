#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/inflate.h"

static struct buf	 out;

static void
clear(void)
{
	buf_clear(&out);
}

/* What is answered to these fields, NULL at the end; its bits. */
static unsigned
answer(const char *const *values)
{
	static struct http_head	 h;
	unsigned		 bits;

	clear();
	h.nheaders = 1;
	h.headers[0].name = slice_str("X-Extensions");
	h.headers[0].value = slice_str("permessage-deflate");
	for (; *values != NULL; values++) {
		h.headers[h.nheaders].name =
		    slice_str("sec-websocket-EXTENSIONS");
		h.headers[h.nheaders++].value = slice_str(*values);
	}
	bits = ws_deflate_answer(&h, &out);
	buf_add(&out, "", 1);
	return (bits);
}

#define ANSWER(...)	answer((const char *const []){ __VA_ARGS__, NULL })
#define LINE	"Sec-WebSocket-Extensions: permessage-deflate; "	\
	"server_no_context_takeover; client_no_context_takeover"

START_TEST(the_first_acceptable_offer_is_taken)
{
	static const struct {
		const char	*offer;
		unsigned	 bits;
		int		 said;	/* our window is in the answer */
	} rows[] = {
		{ "permessage-deflate", 15, 0 },
		{ "PerMessage-Deflate", 15, 0 },
		{ "permessage-deflate; client_max_window_bits", 15, 0 },
		{ "permessage-deflate;client_max_window_bits=8", 15, 0 },
		{ "permessage-deflate; client_max_window_bits=\"15\"", 15, 0 },
		{ "permessage-deflate ; server_no_context_takeover ; "
		    "client_no_context_takeover", 15, 0 },
		{ "permessage-deflate; server_max_window_bits=15", 15, 1 },
		{ "permessage-deflate; server_max_window_bits = 9", 9, 1 },
		{ "permessage-deflate; server_max_window_bits=\"12\"", 12, 1 },
		{ "permessage-deflate; server_max_window_bits=8, "
		    "permessage-deflate; server_max_window_bits=10, "
		    "permessage-deflate", 10, 1 },
		{ "x-webkit-deflate-frame, ,permessage-deflate;x=1,"
		    "permessage-deflate", 15, 0 },
	};
	char	 line[256];

	for (size_t i = 0; i < nitems(rows); i++) {
		ck_assert_msg(ANSWER(rows[i].offer) == rows[i].bits, "%s",
		    rows[i].offer);
		snprintf(line, sizeof(line), rows[i].said ? LINE
		    "; server_max_window_bits=%u\r\n" : LINE "\r\n",
		    rows[i].bits);
		ck_assert_str_eq(out.data, line);
	}
	ck_assert_uint_eq(ANSWER("x", "permessage-deflate; a",
	    "permessage-deflate; server_max_window_bits=11"), 11);
}
END_TEST

START_TEST(an_offer_that_cannot_be_accepted_is_declined)
{
	static const char *const	 rows[] = {
		"", ",", ";", "x", "permessage-deflate-2", "deflate",
		"permessage-deflate;", "permessage-deflate;;",
		"permessage-deflate=1", "permessage-deflate; x",
		"permessage-deflate; server_no_context_takeover=",
		"permessage-deflate; server_no_context_takeover=1",
		"permessage-deflate; client_no_context_takeover=true",
		("permessage-deflate; client_no_context_takeover; "
		"client_no_context_takeover"),
		("permessage-deflate; server_max_window_bits=10; "
		"server_max_window_bits=10"),
		"permessage-deflate; server_max_window_bits",
		"permessage-deflate; server_max_window_bits=",
		"permessage-deflate; server_max_window_bits=7",
		"permessage-deflate; server_max_window_bits=8",
		"permessage-deflate; server_max_window_bits=09",
		"permessage-deflate; server_max_window_bits=16",
		"permessage-deflate; server_max_window_bits=+9",
		"permessage-deflate; server_max_window_bits=\"9",
		"permessage-deflate; server_max_window_bits=\"",
		"permessage-deflate; server_max_window_bits=18446744073709551625",
		"permessage-deflate; client_max_window_bits=",
		"permessage-deflate; client_max_window_bits=0",
		"permessage-deflate; client_max_window_bits=16",
		"permessage-deflate; client_max_window_bits=x",
	};

	for (size_t i = 0; i < nitems(rows); i++) {
		ck_assert_msg(ANSWER(rows[i]) == 0, "%s", rows[i]);
		ck_assert_str_eq(out.data, "");
	}
}
END_TEST

/* RFC 7692 7.2.3: what stands for "Hello". */
START_TEST(the_examples_of_the_rfc_are_understood)
{
	static const struct slice	 rows[] = {
		{ "\xf2\x48\xcd\xc9\xc9\x07\x00", 7 },
		{ "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11 },
		{ "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8 },
		{ "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13 },
	};

	for (int i = 0; i < (int)nitems(rows) * 2; i++) {
		clear();
		ck_assert_int_eq(ws_inflate(&out, 5,
		    rows[i % nitems(rows)]), 0);
		ck_assert(slice_is(slice_of(out.data, out.len), "Hello"));
	}
	clear();
	ck_assert_int_eq(ws_inflate(&out, 0, slice_of("", 1)), 0);
	ck_assert_uint_eq(out.len, 0);
}
END_TEST

START_TEST(what_is_damaged_is_1007)
{
	static const struct slice	 rows[] = {
		{ "", 0 },
		{ "\xff", 1 },				/* reserved block */
		{ "\x07\xff\xff", 3 },
		{ "\xf2\x48\xcd\xc9\xc9\x07", 6 },	/* cut */
		{ "\xf2\x48\xcd\xc9\xc9\x07\x00garbage", 14 },
		{ "\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00", 11 },
		{ "\xf2\x00\x11\x00\x00", 5 },	/* distance too far back */
	};

	for (size_t i = 0; i < nitems(rows); i++) {
		clear();
		ck_assert_msg(ws_inflate(&out, 1000, rows[i]) == 1007, "%zu",
		    i);
	}
	/* It goes on afterwards. */
	clear();
	ck_assert_int_eq(ws_inflate(&out, 5,
	    slice_of("\xf2\x48\xcd\xc9\xc9\x07\x00", 7)), 0);
}
END_TEST

START_TEST(no_more_is_made_of_it_than_allowed)
{
	static char	 zeros[4 << 20];
	char		*small = malloc(sizeof(zeros));
	size_t		 n = ws_deflate(small, sizeof(zeros), 15,
			    slice_of(zeros, sizeof(zeros)));

	ck_assert(n > 0 && n < 32768);
	for (size_t max = 0; max < 100000; max = max * 3 + 1) {
		clear();
		ck_assert_int_eq(ws_inflate(&out, max, slice_of(small, n)),
		    1009);
		ck_assert_uint_eq(out.len, max + 1);
	}
	clear();
	ck_assert_int_eq(ws_inflate(&out, sizeof(zeros) - 1,
	    slice_of(small, n)), 1009);
	clear();
	ck_assert_int_eq(ws_inflate(&out, sizeof(zeros), slice_of(small, n)),
	    0);
	ck_assert_uint_eq(out.len, sizeof(zeros));
	free(small);
}
END_TEST

/* Words, so that there is something to find at any distance. */
static void
text(char *dst, size_t len)
{
	unsigned	 seed = 1;

	for (size_t i = 0; i < len; i++) {
		if (i % 8 == 0)
			seed = seed * 1103515245 + 12345;
		dst[i] = (char)('a' + (seed >> 16 & 15) + i % 8);
	}
}

START_TEST(every_window_comes_back_at_every_size)
{
	static char	 in[128 << 10], small[128 << 10];
	size_t		 n;

	text(in, sizeof(in));
	for (size_t len = 64; len <= sizeof(in); len *= 2) {
		n = ws_deflate(small, len, (unsigned)_i, slice_of(in, len));
		ck_assert(n > 0 && n < len);
		clear();
		ck_assert_int_eq(ws_inflate(&out, len, slice_of(small, n)), 0);
		ck_assert(slice_eq(slice_of(out.data, out.len),
		    slice_of(in, len)));
	}
}
END_TEST

START_TEST(in_pieces_it_becomes_the_same)
{
	static char		 in[300000], z[300000];
	struct ws_inflater	*i, *other;
	struct slice		 rest;
	struct buf		 a = { 0 }, b = { 0 };
	unsigned		 n = 0;
	uint16_t		 code;

	text(in, sizeof(in));
	rest = slice_of(z, ws_deflate(z, sizeof(z), 15,
	    slice_of(in, sizeof(in))));
	i = ws_inflater_get();
	do {
		code = ws_inflate_some(i, &a, sizeof(in), &rest, 1000);
		/* Another message comes between. */
		b.len = 0;
		other = ws_inflater_get();
		ck_assert_ptr_ne(other, i);
		ck_assert_uint_eq(ws_inflate(&b, 100, slice_of("\x4a\x04\x00",
		    3)), 0);
		ws_inflater_put(other);
		n++;
	} while (code == WS_INFLATE_MORE);
	ck_assert_uint_eq(code, 0);
	ck_assert_uint_gt(n, 10);
	ck_assert_uint_eq(a.len, sizeof(in));
	ck_assert_mem_eq(a.data, in, sizeof(in));
	ws_inflater_put(i);
	/* Cut short, in pieces, too; and too large. */
	for (int k = 0; k < 2; k++) {
		size_t	 all = ws_deflate(z, sizeof(z), 15,
			    slice_of(in, sizeof(in)));

		rest = slice_of(z, k == 0 ? all - 9 : all);
		a.len = 0;
		i = ws_inflater_get();
		while ((code = ws_inflate_some(i, &a, k == 0 ? sizeof(in) :
		    sizeof(in) - 1, &rest, 1000)) == WS_INFLATE_MORE)
			continue;
		ck_assert_uint_eq(code, k == 0 ? 1007 : 1009);
		ws_inflater_put(i);
	}
	buf_clear(&a);
	buf_clear(&b);
}
END_TEST

START_TEST(what_gets_no_smaller_stays)
{
	static char	 in[1000], small[2000];
	unsigned	 seed = 1;

	for (size_t i = 0; i < sizeof(in); i++) {
		seed = seed * 1103515245 + 12345;
		in[i] = (char)(seed >> 16);
	}
	ck_assert_uint_eq(ws_deflate(small, sizeof(in), 15,
	    slice_of(in, sizeof(in))), 0);
	ck_assert_uint_eq(ws_deflate(small, 0, 15, slice_of(in, 10)), 0);
	ck_assert_uint_eq(ws_deflate(small, 2, 15, slice_of(in, 10)), 0);
	/* And the next one is none the worse. */
	text(in, sizeof(in));
	ck_assert_uint_gt(ws_deflate(small, sizeof(in), 15,
	    slice_of(in, sizeof(in))), 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("ws_deflate");
	TCase	*t = tcase_create("ws_deflate");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(t, NULL, clear);
	tcase_add_test(t, the_first_acceptable_offer_is_taken);
	tcase_add_test(t, an_offer_that_cannot_be_accepted_is_declined);
	tcase_add_test(t, the_examples_of_the_rfc_are_understood);
	tcase_add_test(t, what_is_damaged_is_1007);
	tcase_add_test(t, no_more_is_made_of_it_than_allowed);
	tcase_add_loop_test(t, every_window_comes_back_at_every_size, 9, 16);
	tcase_add_test(t, in_pieces_it_becomes_the_same);
	tcase_add_test(t, what_gets_no_smaller_stays);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
