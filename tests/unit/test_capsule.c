#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/capsule.h"
#include "proto/pack.h"

static struct capsule_mark	marks[CAPSULE_ORIGINS_MAX];

static void
fill(struct capsule *c)
{
	memset(c, 0, sizeof(*c));
	c->id = 0x123456789abcdef0;
	c->protocol = CAPSULE_WS;
	c->flags = CAPSULE_F_UID_MADE | CAPSULE_F_UPGRADE;
	c->replica = 7;
	c->group = slice_str("/room/1");
	c->uid = slice_str("anna");
	c->app = slice_str("chat");
	c->route = slice_str("chat");
	c->peer = slice_str("127.0.0.1:40112");
	c->via = slice_str("10.0.0.1:80");
	c->early = slice_of("GET / HT\0", 9);
	c->owed = slice_str("HTTP/1.1 101");
	c->state = slice_str("s");
	c->blob = slice_str("b");
	c->headers[0].name = slice_str("cookie");
	c->headers[0].value = slice_str("a=b");
	c->headers[1].name = slice_str("user-agent");
	c->nheaders = 2;
	marks[0] = (struct capsule_mark){ 11, 12 };
	marks[1] = (struct capsule_mark){ UINT64_MAX, 14 };
	c->marks = marks;
	c->nmarks = 2;
	c->news_pos = 21;
	c->news_era = 22;
	c->bits = CAPSULE_B_ENDED;
	c->deflate = 15;
	c->hops = 24;
	c->pings = 2;
	c->since = 27;
	c->last = 28;
	c->paused = 29;
	c->messages = (struct capsule_bucket){ 31, 32 };
	c->bytes = (struct capsule_bucket){ 33, 34 };
	c->topics = slice_of("a\0bb", 5);
	c->blob_version = 36;
	c->strikes = 37;
	c->kept = slice_str("k");
}

START_TEST(a_capsule_comes_back_as_it_was)
{
	struct capsule	c, d;
	struct buf	b = { 0 }, again = { 0 };

	fill(&c);
	ck_assert_int_eq(capsule_encode(&b, &c), 0);
	ck_assert_int_eq(capsule_decode(&d, b.data, b.len), 0);
	ck_assert_uint_eq(d.id, c.id);
	ck_assert_int_eq(d.protocol, c.protocol);
	ck_assert_uint_eq(d.flags, c.flags);
	ck_assert_uint_eq(d.replica, 7);
	ck_assert(slice_eq(d.group, c.group) && slice_eq(d.uid, c.uid));
	ck_assert(slice_eq(d.app, c.app) && slice_eq(d.route, c.route));
	ck_assert(slice_eq(d.via, c.via));
	ck_assert(slice_eq(d.peer, c.peer) && slice_eq(d.early, c.early));
	ck_assert(slice_eq(d.owed, c.owed) && slice_eq(d.state, c.state));
	ck_assert(slice_eq(d.blob, c.blob));
	ck_assert_uint_eq(d.nheaders, 2);
	ck_assert(slice_is(d.headers[0].value, "a=b"));
	ck_assert(slice_is(d.headers[1].name, "user-agent"));
	ck_assert_uint_eq(d.nmarks, 2);
	ck_assert(d.marks[1].origin == UINT64_MAX && d.marks[1].seq == 14);
	ck_assert(d.news_pos == 21 && d.news_era == 22 && d.bits == 1 && d.deflate == 15);
	ck_assert(d.hops == 24 && d.pings == 2);
	ck_assert(d.since == 27 && d.last == 28 && d.paused == 29);
	ck_assert(d.messages.at == 32 && d.bytes.tokens == 33);
	ck_assert(slice_eq(d.topics, c.topics) && d.blob_version == 36 &&
	    d.strikes == 37 && slice_eq(d.kept, c.kept));
	/* What was decoded can be sent on. */
	ck_assert_int_eq(capsule_encode(&again, &d), 0);
	ck_assert_uint_eq(again.len, b.len);
	ck_assert_mem_eq(again.data, b.data, b.len);
	buf_clear(&b);
	buf_clear(&again);
}
END_TEST

/* 3 */
START_TEST(a_capsule_cut_anywhere_is_refused)
{
	struct capsule	 c, d;
	struct buf	 b = { 0 };
	char		*copy;

	fill(&c);
	ck_assert_int_eq(capsule_encode(&b, &c), 0);
	for (size_t i = 0; i < b.len; i++) {
		copy = malloc(i + 1);
		ck_assert_ptr_nonnull(copy);
		memcpy(copy + 1, b.data, i);
		errno = 0;
		ck_assert_int_eq(capsule_decode(&d, copy + 1, i), -1);
		ck_assert_int_eq(errno, EPROTO);
		free(copy);
	}
	buf_clear(&b);
}
END_TEST

/* A record with another start: the first four bytes are array16's header and
 * version, then what it can be read by, then the protocol. */
static int
decode_with(uint8_t version, uint8_t readable, uint8_t protocol)
{
	struct capsule	c, d;
	struct buf	b = { 0 };
	int		rv;

	fill(&c);
	ck_assert_int_eq(capsule_encode(&b, &c), 0);
	ck_assert_uint_eq((uint8_t)b.data[0], 0xdc);
	b.data[3] = (char)version;
	b.data[4] = (char)readable;
	b.data[5] = (char)protocol;
	errno = 0;
	rv = capsule_decode(&d, b.data, b.len) == 0 ? 0 : errno;
	buf_clear(&b);
	return (rv);
}

START_TEST(versions_are_read_or_refused_as_they_say)
{
	ck_assert_int_eq(decode_with(1, 1, CAPSULE_WS), 0);
	ck_assert_int_eq(decode_with(9, 1, CAPSULE_WS), 0);
	ck_assert_int_eq(decode_with(9, 4, CAPSULE_WS), EPROTONOSUPPORT);
	ck_assert_int_eq(decode_with(9, 2, CAPSULE_WS), 0);
	ck_assert_int_eq(decode_with(1, 2, CAPSULE_WS), EPROTO);
	ck_assert_int_eq(decode_with(0, 0, CAPSULE_WS), EPROTO);
	ck_assert_int_eq(decode_with(1, 1, 0), EPROTO);
	ck_assert_int_eq(decode_with(1, 1, 5), EPROTO);
}
END_TEST

/* 3: A reader of version 1 goes by these two numbers, and ends at the marks. */
START_TEST(who_would_lose_something_cannot_read_it)
{
	static const struct {
		enum capsule_protocol	 protocol;
		char			 readable;
	} rows[] = {
		{ CAPSULE_HTTP, 1 }, { CAPSULE_WS, 2 }, { CAPSULE_RAW, 2 },
		{ CAPSULE_STREAM, 2 },
	};
	struct capsule	 c, d;
	struct buf	 b = { 0 };

	for (size_t i = 0; i < nitems(rows); i++) {
		fill(&c);
		c.protocol = rows[i].protocol;
		b.len = 0;
		ck_assert_int_eq(capsule_encode(&b, &c), 0);
		ck_assert_int_eq(b.data[3], CAPSULE_VERSION);
		ck_assert_int_eq(b.data[4], rows[i].readable);
	}
	/* Only this reader knows that a shard has died. */
	b.len = 0;
	fill(&c);
	c.protocol = CAPSULE_WS;
	c.bits = CAPSULE_B_RESUMED;
	ck_assert_int_eq(capsule_encode(&b, &c), 0);
	ck_assert_int_eq(b.data[4], CAPSULE_RESUMES);
	ck_assert_int_eq(capsule_decode(&d, b.data, b.len), 0);
	ck_assert(d.bits == CAPSULE_B_RESUMED && d.strikes == 37);
	b.data[3] = 2;			/* as version 2 has written it */
	b.data[4] = 2;
	ck_assert_int_eq(capsule_decode(&d, b.data, b.len), 0);
	ck_assert(d.strikes == 0 && d.blob_version == 36);
	/* One of version 1 has none of the later fields, and reads as before. */
	b.len = 0;
	fill(&c);
	c.protocol = CAPSULE_HTTP;
	ck_assert_int_eq(capsule_encode(&b, &c), 0);
	b.data[3] = 1;
	ck_assert_int_eq(capsule_decode(&d, b.data, b.len), 0);
	ck_assert(slice_eq(d.blob, c.blob) && d.deflate == 0 &&
	    d.topics.len == 0 && d.nmarks == 2);
	buf_clear(&b);
}
END_TEST

START_TEST(later_fields_are_ignored)
{
	struct capsule	c, d;
	struct buf	b = { 0 };

	fill(&c);
	ck_assert_int_eq(capsule_encode(&b, &c), 0);
	b.data[2]++;
	pack_str(&b, slice_str("of a later version"));
	ck_assert_int_eq(capsule_decode(&d, b.data, b.len), 0);
	ck_assert(slice_eq(d.blob, c.blob));
	buf_clear(&b);
}
END_TEST

START_TEST(what_is_over_its_limit_is_not_written)
{
	static char	 big[GROUP_MAX + 1];
	struct capsule	 c;
	struct buf	 b = { 0 };
	char		*early;

	fill(&c);
	c.group = slice_of(big, sizeof(big));
	ck_assert_int_eq(capsule_encode(&b, &c), -1);
	ck_assert_int_eq(errno, EINVAL);
	fill(&c);
	c.nheaders = CAPSULE_HEADERS_MAX + 1;
	ck_assert_int_eq(capsule_encode(&b, &c), -1);
	fill(&c);
	c.nmarks = CAPSULE_ORIGINS_MAX + 1;
	ck_assert_int_eq(capsule_encode(&b, &c), -1);
	fill(&c);
	c.protocol = 0;
	ck_assert_int_eq(capsule_encode(&b, &c), -1);
	ck_assert_uint_eq(b.len, 0);

	early = calloc(1, CAPSULE_MAX);
	ck_assert_ptr_nonnull(early);
	fill(&c);
	c.early = slice_of(early, CAPSULE_MAX);
	ck_assert_int_eq(capsule_encode(&b, &c), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_uint_eq(b.len, 0);
	c.early.len = CAPSULE_MAX - 1024;
	ck_assert_int_eq(capsule_encode(&b, &c), 0);
	free(early);
	buf_clear(&b);
}
END_TEST

/* Any number of up to 64 bits, small ones more often. */
static uint64_t
any(void)
{
	uint64_t	 n = bytes_random64();

	return (n >> (n % 64));
}

/* Any bytes, in a place of their own. */
static struct slice
any_bytes(size_t max)
{
	static char	 pool[64 << 10];
	static size_t	 at;
	size_t		 n = (size_t)(any() % (max + 1));

	if (at + n > sizeof(pool))
		at = 0;
	for (size_t i = 0; i < n; i++)
		pool[at + i] = (char)rand();
	at += n;
	return (slice_of(pool + at - n, n));
}

/* Any connection. */
static void
fill_any(struct capsule *c)
{
	memset(c, 0, sizeof(*c));
	c->id = any();
	c->bits = (uint32_t)any();
	c->protocol = CAPSULE_HTTP + any() % 4;
	c->flags = (uint32_t)any();
	c->replica = any();
	c->group = any_bytes(GROUP_MAX);
	c->uid = any_bytes(UID_MAX);
	c->app = any_bytes(APP_MAX);
	c->route = any_bytes(100);
	c->peer = any_bytes(100);
	c->via = any_bytes(100);
	c->early = any_bytes(1000);
	c->owed = any_bytes(1000);
	c->state = any_bytes(1000);
	c->blob = any_bytes(1000);
	c->nheaders = any() % 4;
	for (size_t i = 0; i < c->nheaders; i++) {
		c->headers[i].name = any_bytes(30);
		c->headers[i].value = any_bytes(30);
	}
	c->nmarks = any() % 9;
	for (size_t i = 0; i < c->nmarks; i++)
		marks[i] = (struct capsule_mark){ any(), any() };
	c->marks = marks;
	c->news_pos = any();
	c->news_era = any();
	c->deflate = any() % 2 ? 8 + any() % 8 : 0;
	c->hops = (uint32_t)any();
	c->pings = any() % 256;
	c->since = (uint32_t)any();
	c->last = (uint32_t)any();
	c->paused = any();
	c->messages = (struct capsule_bucket){ any(), any() };
	c->bytes = (struct capsule_bucket){ any(), any() };
	c->topics = any_bytes(1000);
	c->blob_version = (uint32_t)any();
	c->strikes = any() % 256;
	c->kept = any_bytes(100);
}

/* Records that are damaged in one bit are refused, or are others, whole ones. */
static void
flip_a_bit(const struct buf *b)
{
	struct capsule	 d;
	struct buf	 again = { 0 };
	size_t		 at = (size_t)(bytes_random64() % b->len);
	char		*copy = malloc(b->len);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, b->data, b->len);
	copy[at] ^= (char)(1 << bytes_random64() % 8);
	if (capsule_decode(&d, copy, b->len) == 0)
		ck_assert_int_eq(capsule_encode(&again, &d), 0);
	buf_clear(&again);
	free(copy);
}

/* 3 */
START_TEST(any_capsule_comes_back)
{
	struct capsule	 c, d;
	struct buf	 b = { 0 }, again = { 0 };

	for (int i = 0; i < 400; i++) {
		fill_any(&c);
		b.len = again.len = 0;
		ck_assert_int_eq(capsule_encode(&b, &c), 0);
		ck_assert_int_eq(capsule_decode(&d, b.data, b.len), 0);
		ck_assert_int_eq(capsule_encode(&again, &d), 0);
		ck_assert_uint_eq(again.len, b.len);
		ck_assert_mem_eq(again.data, b.data, b.len);
		ck_assert_int_eq(capsule_decode(&d, b.data,
		    (size_t)(any() % b.len)), -1);
		for (int k = 0; k < 20; k++)
			flip_a_bit(&b);
	}
	buf_clear(&b);
	buf_clear(&again);
}
END_TEST

START_TEST(the_fullest_capsule_passes)
{
	struct capsule	c, d;
	struct buf	b = { 0 };

	fill(&c);
	c.nheaders = CAPSULE_HEADERS_MAX;
	c.nmarks = CAPSULE_ORIGINS_MAX;
	for (size_t i = 0; i < c.nmarks; i++)
		marks[i] = (struct capsule_mark){ UINT64_MAX - i, i };
	ck_assert_int_eq(capsule_encode(&b, &c), 0);
	ck_assert_int_eq(capsule_decode(&d, b.data, b.len), 0);
	ck_assert_uint_eq(d.nheaders, CAPSULE_HEADERS_MAX);
	ck_assert_uint_eq(d.nmarks, CAPSULE_ORIGINS_MAX);
	ck_assert_uint_eq(d.marks[1000].seq, 1000);
	buf_clear(&b);
}
END_TEST

START_TEST(a_memfd_gives_the_record_back)
{
	char	*data = malloc(100000), *back;
	size_t	 len;
	int	 fd;

	ck_assert_ptr_nonnull(data);
	memset(data, 'k', 100000);
	ck_assert_int_ne(fd = capsule_memfd(data, 100000), -1);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(write(fd, "x", 1), -1);
	ck_assert_ptr_nonnull(back = capsule_map(fd, &len));
	ck_assert_uint_eq(len, 100000);
	ck_assert_mem_eq(back, data, len);
	free(back);
	free(data);
	close(fd);
	ck_assert_int_eq(capsule_memfd("", 0), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

static void
map_is_refused(int fd)
{
	size_t	len;

	ck_assert_int_ne(fd, -1);
	errno = 0;
	ck_assert_ptr_null(capsule_map(fd, &len));
	ck_assert_int_eq(errno, EPROTO);
	close(fd);
}

START_TEST(what_could_change_or_is_too_large_is_not_mapped)
{
	const int	seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int		fd, p[2];

	fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	map_is_refused(fd);				/* not sealed */

	fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	map_is_refused(fd);				/* half sealed */

	fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	map_is_refused(fd);				/* empty */

	fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(ftruncate(fd, CAPSULE_MAX + 1), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	map_is_refused(fd);				/* too large */

	map_is_refused(open("/dev/zero", O_RDONLY | O_CLOEXEC));
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	map_is_refused(p[0]);
	close(p[1]);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("capsule");
	TCase	*t = tcase_create("capsule");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, a_capsule_comes_back_as_it_was);
	tcase_add_test(t, a_capsule_cut_anywhere_is_refused);
	tcase_add_test(t, versions_are_read_or_refused_as_they_say);
	tcase_add_test(t, who_would_lose_something_cannot_read_it);
	tcase_add_test(t, any_capsule_comes_back);
	tcase_add_test(t, later_fields_are_ignored);
	tcase_add_test(t, what_is_over_its_limit_is_not_written);
	tcase_add_test(t, the_fullest_capsule_passes);
	tcase_add_test(t, a_memfd_gives_the_record_back);
	tcase_add_test(t, what_could_change_or_is_too_large_is_not_mapped);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
