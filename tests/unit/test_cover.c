#include <sys/mman.h>
#include <sys/stat.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/cover.h"
#include "proto/cover_look.h"
#include "proto/page.h"

#define INCARNATION	0x123456789abcdef0
#define SENT_AT		(COVER_SLOTS_AT + COVER_SLOTS_MAX * 32)
#define ROOM_AT		(SENT_AT + (COVER_SLOTS_MAX + 2) * 4)

static int	 fd;
static uint32_t	 place;

/* A page, and the cover of this process in it. */
static void
begin(void)
{
	ck_assert_ptr_nonnull(page_new(INCARNATION, &fd));
	ck_assert_int_eq(cover_begin(fd), 0);
	place = cover_place(slice_str("chat"), slice_str("room"));
	ck_assert_uint_ne(place, 0);
}

/* A connection of that id with all that one can have. */
static void
fill(struct capsule *cap, uint64_t id)
{
	memset(cap, 0, sizeof(*cap));
	cap->id = id;
	cap->protocol = CAPSULE_WS;
	cap->flags = CAPSULE_F_SECURE;
	cap->uid = slice_of("a\0b", 3);
	cap->peer = slice_str("127.0.0.1:4711");
	cap->via = slice_str("10.0.0.1:80");
	cap->route = slice_str("chat.all");
	cap->headers[0].name = slice_str("cookie");
	cap->headers[0].value = slice_str("a=b");
	cap->headers[1].name = slice_str("query:x");
	cap->headers[1].value = slice_str("");
	cap->nheaders = 2;
	cap->deflate = 15;
	cap->hops = 7;
	cap->strikes = 1;
}

static struct cover_look *
look(void)
{
	struct cover_look	*l = cover_look_new(fd, INCARNATION);

	ck_assert_ptr_nonnull(l);
	return (l);
}

/* How the page says that the connection of that id was left, to whose client so much was
 * written; known is 0: nobody knows. */
static enum cover_rest
rest_written(uint64_t id, int known, uint32_t written)
{
	struct cover_look	*l = look();
	struct covered		 c;

	ck_assert_int_eq(cover_look_find(l, id, &c), 0);
	cover_look_free(l);
	return (covered_written(&c, known, written));
}

static enum cover_rest
rest_of(uint64_t id)
{
	return (rest_written(id, 0, 0));
}

static void
is_text(struct slice s, const char *text)
{
	ck_assert(slice_eq(s, slice_str(text)));
}

START_TEST(a_connection_is_read_as_it_was_written)
{
	struct cover_look	*l;
	struct covered		 c;
	struct capsule		 cap;
	uint32_t		 slot;

	begin();
	fill(&cap, 42);
	ck_assert_uint_ne(slot = cover_add(&cap, NULL, place, 0, 0), 0);
	ck_assert_int_eq(cover_topics(slot, slice_of("t\0uu", 5)), 0);
	ck_assert_int_eq(cover_state(slot, slice_str("state")), 0);
	ck_assert_int_eq(cover_checkpoint(slot, slice_str("kept"), 3), 0);
	l = look();
	ck_assert_uint_eq(cover_look_count(l), 1);
	ck_assert_int_eq(cover_look_find(l, 42, &c), 0);
	ck_assert_uint_eq(c.id, 42);
	ck_assert_int_eq(c.rest, COVER_AT_REST);
	ck_assert_uint_eq(c.cap.id, 42);
	ck_assert_int_eq(c.cap.protocol, CAPSULE_WS);
	ck_assert_uint_eq(c.cap.flags, CAPSULE_F_SECURE);
	ck_assert(slice_eq(c.cap.uid, slice_of("a\0b", 3)));
	is_text(c.cap.peer, "127.0.0.1:4711");
	is_text(c.cap.via, "10.0.0.1:80");
	is_text(c.cap.route, "chat.all");
	is_text(c.cap.app, "chat");
	is_text(c.cap.group, "room");
	ck_assert_uint_eq(c.cap.nheaders, 2);
	is_text(c.cap.headers[0].name, "cookie");
	is_text(c.cap.headers[0].value, "a=b");
	is_text(c.cap.headers[1].name, "query:x");
	is_text(c.cap.headers[1].value, "");
	ck_assert_uint_eq(c.cap.deflate, 15);
	ck_assert_uint_eq(c.cap.hops, 7);
	ck_assert_uint_eq(c.cap.strikes, 1);
	ck_assert(slice_eq(c.cap.topics, slice_of("t\0uu", 5)));
	is_text(c.cap.state, "state");
	is_text(c.cap.blob, "kept");
	ck_assert_uint_eq(c.cap.blob_version, 3);
	ck_assert_uint_eq(c.cap.replica, 0);
	ck_assert_uint_eq(c.cap.bits, 0);
	cover_look_free(l);

	cover_remove(slot);
	l = look();
	ck_assert_uint_eq(cover_look_count(l), 0);
	ck_assert_int_eq(cover_look_find(l, 42, &c), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(cover_look_at(l, 0, &c), -1);
	cover_look_free(l);
}
END_TEST

START_TEST(the_cell_and_the_bits_tell_how_each_was_left)
{
	struct capsule	 cap;
	uint32_t	 a, b;

	begin();
	fill(&cap, 1);
	a = cover_add(&cap, NULL, place, 0, 0);
	fill(&cap, 2);
	b = cover_add(&cap, NULL, place, 0, 0);
	ck_assert_int_eq(rest_of(1), COVER_AT_REST);
	cover_reading(a);		/* until it is known what comes, or comes not */
	ck_assert_int_eq(rest_of(1), COVER_AMID_IN);
	ck_assert_int_eq(rest_of(2), COVER_AT_REST);
	cover_amid(0);
	ck_assert_int_eq(rest_of(1), COVER_AT_WORK);
	cover_bits(a, COVER_B_IN, 1);
	ck_assert_int_eq(rest_of(1), COVER_AMID_IN);
	cover_write(0, b, 0);
	cover_write(1, a, 0);
	ck_assert_int_eq(rest_of(2), COVER_AT_REST);
	cover_writing(2);
	ck_assert_int_eq(rest_of(2), COVER_AMID_OUT);
	ck_assert_int_eq(rest_of(1), COVER_AMID_OUT);
	cover_written();
	ck_assert_int_eq(rest_of(2), COVER_AT_REST);
	cover_reading(0);
	ck_assert_int_eq(rest_of(1), COVER_AMID_IN);
	cover_bits(a, COVER_B_OUT, 1);
	cover_bits(a, COVER_B_IN, 0);
	ck_assert_int_eq(rest_of(1), COVER_AMID_OUT);
	cover_bits(a, COVER_B_GOING, 1);
	ck_assert_int_eq(rest_of(1), COVER_AMID_OUT);
	cover_bits(a, COVER_B_OUT, 0);
	ck_assert_int_eq(rest_of(1), COVER_GOING);
	cover_bits(a, COVER_B_GOING, 0);
	ck_assert_int_eq(rest_of(1), COVER_AT_REST);
	for (size_t i = 0; i < COVER_WRITES; i++)
		cover_write(i, i == COVER_WRITES - 1 ? a : b, 0);
	cover_writing(COVER_WRITES);
	ck_assert_int_eq(rest_of(1), COVER_AMID_OUT);
	cover_written();
	ck_assert_int_eq(rest_of(1), COVER_AT_REST);
}
END_TEST

/* A slot, alone, is written to. */
static void
write_to(uint32_t slot, size_t len)
{
	cover_write(0, slot, len);
	cover_writing(1);
}

/* The connection of id 1, to which 1000 bytes short of 2^32 were written, as it is when
 * so many more are.  Bits are those that the write found. */
static enum cover_rest
rest_after(uint32_t n)
{
	return (rest_written(1, 1, UINT32_MAX - 999 + n));
}

START_TEST(of_a_write_the_kernel_knows_how_far_it_came)
{
	struct capsule	 cap;
	uint32_t	 slot;

	begin();
	fill(&cap, 1);
	slot = cover_add(&cap, NULL, place, 0, UINT32_MAX - 999);
	/* Who is not written to is not asked for that. */
	ck_assert_int_eq(rest_after(7), COVER_AT_REST);
	write_to(slot, 3000);
	ck_assert_int_eq(rest_after(0), COVER_AT_REST);
	ck_assert_int_eq(rest_after(1), COVER_AMID_OUT);
	ck_assert_int_eq(rest_after(2999), COVER_AMID_OUT);
	ck_assert_int_eq(rest_after(3000), COVER_AT_REST);
	ck_assert_int_eq(rest_after(3001), COVER_AMID_OUT);
	ck_assert_int_eq(rest_after(UINT32_MAX), COVER_AMID_OUT);
	ck_assert_int_eq(rest_written(1, 0, UINT32_MAX - 999), COVER_AMID_OUT);
	/* What it is besides that it stays. */
	cover_bits(slot, COVER_B_GOING, 1);
	ck_assert_int_eq(rest_after(0), COVER_GOING);
	ck_assert_int_eq(rest_after(3000), COVER_GOING);
	cover_bits(slot, COVER_B_IN, 1);
	ck_assert_int_eq(rest_after(3000), COVER_AMID_IN);
	cover_bits(slot, COVER_B_IN | COVER_B_GOING, 0);
	cover_reading(slot);
	cover_amid(0);
	ck_assert_int_eq(rest_after(3000), COVER_AT_WORK);
	cover_reading(0);
	/* The rest of what was begun: amid it until all has gone out. */
	cover_bits(slot, COVER_B_OUT, 1);
	ck_assert_int_eq(rest_after(0), COVER_AMID_OUT);
	ck_assert_int_eq(rest_after(3000), COVER_AT_REST);
	cover_bits(slot, COVER_B_OUT, 0);
	/* Half of it went out: so it was, until the next time. */
	cover_bits(slot, COVER_B_OUT, 1);
	ck_assert_int_eq(rest_after(1500), COVER_AMID_OUT);
	cover_wrote(slot, 1500);
	ck_assert_int_eq(rest_after(1500), COVER_AMID_OUT);
	cover_written();
	ck_assert_int_eq(rest_after(1500), COVER_AMID_OUT);
	write_to(slot, 1500);
	ck_assert_int_eq(rest_after(1500), COVER_AMID_OUT);
	ck_assert_int_eq(rest_after(3000), COVER_AT_REST);
	cover_bits(slot, COVER_B_OUT, 0);
	cover_wrote(slot, 1500);
	ck_assert_int_eq(rest_after(3000), COVER_AT_REST);
	cover_written();
	/* It does not end with a whole message. */
	write_to(slot, 0);
	ck_assert_int_eq(rest_after(3000), COVER_AT_REST);
	ck_assert_int_eq(rest_after(3010), COVER_AMID_OUT);
	cover_written();
	/* Longer than can be told. */
	write_to(slot, ((size_t)1 << 32) + 5);
	ck_assert_int_eq(rest_after(3005), COVER_AMID_OUT);
}
END_TEST

START_TEST(of_whom_it_was_not_known_it_is_not_known)
{
	struct capsule	 cap;
	uint32_t	 slot;

	begin();
	fill(&cap, 1);
	slot = cover_add(&cap, NULL, place, COVER_B_BLIND, 10);
	ck_assert_int_eq(rest_written(1, 1, 10), COVER_AT_REST);
	write_to(slot, 5);
	ck_assert_int_eq(rest_written(1, 1, 10), COVER_AMID_OUT);
	ck_assert_int_eq(rest_written(1, 1, 15), COVER_AMID_OUT);
}
END_TEST

/* A shard of before says nothing of lengths, in a shorter cell, or not of what was
 * written: its connections are judged as ever. */
START_TEST(an_older_shard_has_no_lengths)
{
	const uint32_t	 older = offsetof(struct cover_cell, length), none = 0;
	struct capsule	 cap;
	uint32_t	 slot;

	ck_assert_uint_eq(older, 3 * 4 + 256 * 4 + 5 * 4);
	begin();
	fill(&cap, 2);
	cover_add(&cap, NULL, place, 0, 0);
	fill(&cap, 1);
	slot = cover_add(&cap, NULL, place, 0, 10);
	write_to(slot, 5);
	ck_assert_int_eq(rest_written(1, 1, 15), COVER_AT_REST);
	if (_i == 0)
		ck_assert_int_eq(pwrite(fd, &older, sizeof(older), COVER_AT +
		    offsetof(struct cover_head, cell_size)), sizeof(older));
	else
		ck_assert_int_eq(pwrite(fd, &none, sizeof(none), COVER_AT +
		    offsetof(struct cover_head, written_at)), sizeof(none));
	ck_assert_int_eq(rest_written(1, 1, 10), COVER_AMID_OUT);
	ck_assert_int_eq(rest_written(1, 1, 15), COVER_AMID_OUT);
	ck_assert_int_eq(rest_written(2, 1, 15), COVER_AT_REST);
}
END_TEST

/* What an older gateway reads of it stands where it was: the cell's first words, and
 * that it is no shorter. */
START_TEST(an_older_gateway_finds_what_it_knows)
{
	struct capsule		 cap;
	struct cover_head	 h;
	uint32_t		 words[3 + COVER_WRITES], slot;

	begin();
	fill(&cap, 1);
	slot = cover_add(&cap, NULL, place, 0, 10);
	write_to(slot, 5);
	ck_assert_int_eq(pread(fd, &h, sizeof(h), COVER_AT), sizeof(h));
	ck_assert_uint_ge(h.cell_size, 1056);
	ck_assert_uint_eq(h.slot_size, 32);
	ck_assert_int_eq(pread(fd, words, sizeof(words), 4160), sizeof(words));
	ck_assert_uint_eq(words[2], 1);
	ck_assert_uint_eq(words[3], slot);
}
END_TEST

START_TEST(strikes_are_counted_and_forgotten)
{
	struct cover_look	*l;
	struct covered		 c;
	struct capsule		 cap;
	uint32_t		 slot;

	begin();
	fill(&cap, 5);
	slot = cover_add(&cap, NULL, place, 0, 0);
	cover_strikes(slot, 0);
	l = look();
	ck_assert_int_eq(cover_look_find(l, 5, &c), 0);
	ck_assert_uint_eq(c.cap.strikes, 0);
	cover_look_free(l);
}
END_TEST

/* The checkpoint of that connection. */
static void
kept_is(uint64_t id, struct slice data)
{
	struct cover_look	*l = look();
	struct covered		 c;

	ck_assert_int_eq(cover_look_find(l, id, &c), 0);
	ck_assert(slice_eq(c.cap.blob, data));
	cover_look_free(l);
}

START_TEST(the_last_checkpoint_is_the_one)
{
	static char	 text[CAPSULE_KEPT_MAX];
	struct capsule	 cap;
	struct stat	 st, later;
	uint32_t	 slot;

	begin();
	fill(&cap, 5);
	slot = cover_add(&cap, NULL, place, 0, 0);
	kept_is(5, slice_of(NULL, 0));
	for (int i = 0; i < 500; i++) {
		size_t	 n = (size_t)i * 37 % sizeof(text);

		memset(text, 'a' + i % 26, n);
		ck_assert_int_eq(cover_checkpoint(slot, slice_of(text, n), 1), 0);
		kept_is(5, slice_of(text, n));
	}
	/* It takes no more room for being written often. */
	ck_assert_int_eq(fstat(fd, &st), 0);
	for (int i = 0; i < 50000; i++)
		ck_assert_int_eq(cover_checkpoint(slot, slice_of(text,
		    (size_t)i * 37 % sizeof(text)), 1), 0);
	ck_assert_int_eq(fstat(fd, &later), 0);
	ck_assert_int_eq(st.st_size, later.st_size);
	ck_assert_int_eq(cover_checkpoint(slot, slice_of(NULL, 0), 1), 0);
	kept_is(5, slice_of(NULL, 0));
}
END_TEST

START_TEST(many_come_and_go)
{
	enum { N = 3000 };
	static uint32_t		 slots[N];
	static char		 topics[N];
	struct cover_look	*l;
	struct covered		 c;
	struct capsule		 cap;
	size_t			 n = 0;
	char			 uid[32];

	begin();
	srandom(3);
	for (int i = 0; i < 40000; i++) {
		size_t	 k = (size_t)random() % N;

		if (slots[k] != 0) {
			cover_remove(slots[k]);
			slots[k] = 0;
			n--;
			continue;
		}
		fill(&cap, k + 1);
		snprintf(uid, sizeof(uid), "u%zu", k);
		cap.uid = slice_str(uid);
		topics[k] = (char)(random() % 100);
		slots[k] = cover_add(&cap, NULL, place, 0, 0);
		ck_assert_uint_ne(slots[k], 0);
		if (topics[k] != 0)
			ck_assert_int_eq(cover_topics(slots[k],
			    slice_of(topics, (size_t)topics[k])), 0);
		n++;
	}
	l = look();
	ck_assert_uint_eq(cover_look_count(l), n);
	for (size_t k = 0; k < N; k++) {
		if (slots[k] == 0) {
			ck_assert_int_eq(cover_look_find(l, k + 1, &c), -1);
			continue;
		}
		ck_assert_int_eq(cover_look_find(l, k + 1, &c), 0);
		snprintf(uid, sizeof(uid), "u%zu", k);
		is_text(c.cap.uid, uid);
		ck_assert_uint_eq(c.cap.topics.len, (size_t)topics[k]);
	}
	cover_look_free(l);
}
END_TEST

START_TEST(without_a_page_nothing_is_covered)
{
	struct capsule	 cap;

	fill(&cap, 1);
	ck_assert_uint_eq(cover_place(slice_str("a"), slice_str("b")), 0);
	ck_assert_uint_eq(cover_add(&cap, NULL, 0, 0, 0), 0);
	cover_remove(0);
	cover_bits(0, COVER_B_IN, 1);
	cover_strikes(0, 1);
	ck_assert_int_eq(cover_topics(0, slice_str("t")), 0);
	ck_assert_int_eq(cover_checkpoint(0, slice_str("t"), 1), 0);
	cover_reading(0);
	cover_write(0, 0, 1);
	cover_writing(1);
	cover_wrote(0, 1);
	cover_written();
}
END_TEST

START_TEST(what_the_shard_reads_of_a_client_stands_in_the_page_once)
{
	struct cover_look	*l;
	struct covered		 c;
	struct capsule		 cap;
	uint32_t		 slot, other;
	char			*who, *next;

	begin();
	fill(&cap, 7);
	ck_assert_ptr_nonnull(who = cover_who(&cap));
	ck_assert_int_eq(memcmp(who, "a\0b\000127.0.0.1:4711", 19), 0);
	ck_assert_uint_ne(other = cover_add(&cap, NULL, place, 0, 0), 0);
	cover_remove(other);			/* its label is there now */
	ck_assert_ptr_nonnull(next = cover_who(&cap));
	cover_who_free(next);
	ck_assert_uint_ne(slot = cover_add(&cap, who, place, 0, 0), 0);
	/* The slot has taken none of it. */
	ck_assert_ptr_eq(cover_who(&cap), next);
	l = look();
	ck_assert_int_eq(cover_look_find(l, 7, &c), 0);
	ck_assert(slice_eq(c.cap.uid, slice_of("a\0b", 3)));
	is_text(c.cap.headers[0].value, "a=b");
	cover_look_free(l);
	/* It ends, and its client is known for a while. */
	cover_remove(slot);
	ck_assert_ptr_ne(cover_who(&cap), who);
	ck_assert_int_eq(memcmp(who, "a\0b\000127.0.0.1:4711", 19), 0);
	cover_who_free(who);
	ck_assert_ptr_eq(cover_who(&cap), who);
}
END_TEST

START_TEST(who_a_client_is_is_known_without_a_page)
{
	struct capsule	 cap;
	char		*who;

	fill(&cap, 7);
	ck_assert_ptr_nonnull(who = cover_who(&cap));
	ck_assert_int_eq(memcmp(who, "a\0b\000127.0.0.1:4711", 19), 0);
	begin();
	/* No slot may name it. */
	ck_assert_uint_eq(cover_add(&cap, who, place, 0, 0), 0);
	cover_who_free(who);
	cover_who_free(NULL);
}
END_TEST

START_TEST(a_page_without_cover_is_refused)
{
	struct page_head	 h;

	begin();
	ck_assert_ptr_null(cover_look_new(fd, INCARNATION + 1));
	ck_assert_int_eq(errno, EPROTO);
	ck_assert_int_eq(pread(fd, &h, sizeof(h), 0), sizeof(h));
	h.version = PAGE_COVERS - 1;
	ck_assert_int_eq(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
	ck_assert_ptr_null(cover_look_new(fd, INCARNATION));
	ck_assert_int_eq(errno, EPROTO);
	close(fd);
	ck_assert_ptr_nonnull(page_new(INCARNATION, &fd));	/* only a page */
	ck_assert_ptr_null(cover_look_new(fd, INCARNATION));
	ck_assert_int_eq(errno, EPROTO);
}
END_TEST

/* Look at all of a page that may say anything. */
static void
look_at_all(void)
{
	struct cover_look	*l = cover_look_new(fd, INCARNATION);
	struct covered		 c;
	struct buf		 b = { 0 };

	if (l == NULL)
		return;
	for (size_t i = 0; i < cover_look_count(l); i++)
		if (cover_look_at(l, i, &c) == 0) {
			ck_assert_int_eq(capsule_encode(&b, &c.cap), 0);
			buf_reset(&b);
		}
	buf_clear(&b);
	cover_look_free(l);
}

/* 6: 6 */
START_TEST(any_bytes_are_refused_or_within_bounds)
{
	static const size_t	 from[] = { COVER_AT, COVER_AT, COVER_SLOTS_AT,
				    ROOM_AT }, len[] = { 64, 2000, 200, 1000 };
	static char		 good[4][2000];
	struct capsule		 cap;
	uint32_t		 slot;

	begin();
	for (uint64_t id = 1; id < 5; id++) {
		fill(&cap, id);
		slot = cover_add(&cap, NULL, place, 0, 0);
		cover_topics(slot, slice_str("topic"));
		cover_checkpoint(slot, slice_str("kept"), 1);
	}
	for (size_t k = 0; k < 4; k++)
		ck_assert_int_eq(pread(fd, good[k], len[k], (off_t)from[k]),
		    (ssize_t)len[k]);
	srandom(1);
	for (int i = 0; i < 4000; i++) {
		size_t	 k = (size_t)random() % 4;
		char	 bytes[2000];

		memcpy(bytes, good[k], len[k]);
		for (long n = 1 + random() % 8; n > 0; n--)
			bytes[(size_t)random() % len[k]] = (char)(random() %
			    3 == 0 ? random() : random() % 9);
		ck_assert_int_eq(pwrite(fd, bytes, len[k], (off_t)from[k]),
		    (ssize_t)len[k]);
		look_at_all();
		ck_assert_int_eq(pwrite(fd, good[k], len[k], (off_t)from[k]),
		    (ssize_t)len[k]);
	}
	ck_assert_int_eq(rest_of(1), COVER_AT_REST);
}
END_TEST

/* Is the page refused with that word (of size bytes, at that offset) in it? */
static int
refused_with(uint64_t at, uint64_t word, size_t size)
{
	struct cover_look	*l;
	uint64_t		 was;

	ck_assert_int_eq(pread(fd, &was, size, (off_t)at), (ssize_t)size);
	ck_assert_int_eq(pwrite(fd, &word, size, (off_t)at), (ssize_t)size);
	l = cover_look_new(fd, INCARNATION);
	ck_assert_int_eq(pwrite(fd, &was, size, (off_t)at), (ssize_t)size);
	if (l == NULL)
		ck_assert_int_eq(errno, EPROTO);
	cover_look_free(l);
	return (l == NULL);
}

START_TEST(each_word_of_the_head_has_its_bounds)
{
	const struct { size_t at; uint64_t most; size_t size; } words[] = {
		{ offsetof(struct cover_head, nslots), COVER_SLOTS_MAX, 4 },
		{ offsetof(struct cover_head, slots_at), PAGE_MAX, 8 },
		{ offsetof(struct cover_head, room_at), PAGE_MAX, 8 },
		{ offsetof(struct cover_head, written_at), PAGE_MAX, 4 },
	};
	const size_t	 cell = COVER_AT + offsetof(struct cover_head, cell_size);
	const size_t	 least = offsetof(struct cover_cell, length);

	begin();
	/* There is something to read behind the last slot that may be. */
	ck_assert_int_eq(ftruncate(fd, ROOM_AT + (1 << 20)), 0);
	for (size_t i = 0; i < nitems(words); i++) {
		ck_assert(!refused_with(COVER_AT + words[i].at, words[i].most,
		    words[i].size));
		ck_assert(refused_with(COVER_AT + words[i].at,
		    words[i].most + 1, words[i].size));
	}
	ck_assert(!refused_with(cell, sizeof(struct cover_cell), 4));
	ck_assert(!refused_with(cell, least, 4));
	ck_assert(refused_with(cell, least - 1, 4));
}
END_TEST

START_TEST(more_headers_than_a_record_has_are_refused)
{
	static struct { struct covered c; char guard[8192]; } one, before;
	struct cover_slot	*slot;
	struct cover_look	*l;
	struct capsule		 cap;
	char			 dots[600], *map, *at;

	begin();
	memset(dots, '.', sizeof(dots));
	fill(&cap, 9);
	cap.headers[1].value = slice_of(dots, sizeof(dots));
	ck_assert_uint_eq(cover_add(&cap, NULL, place, 0, 0), 1);
	map = mmap(NULL, ROOM_AT + 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	/* Each dot is an empty text now, of which 300 headers could be. */
	at = memmem(map + ROOM_AT, 4096, dots, sizeof(dots));
	ck_assert_ptr_nonnull(at);
	memset(at, 0, sizeof(dots));
	slot = (struct cover_slot *)(void *)(map + COVER_SLOTS_AT);
	l = look();
	slot->nheaders = CAPSULE_HEADERS_MAX;
	ck_assert_int_eq(cover_look_at(l, 0, &one.c), 0);
	cover_look_free(l);
	for (int n = CAPSULE_HEADERS_MAX + 1; n <= UINT8_MAX; n++) {
		slot->nheaders = (uint8_t)n;
		l = look();
		memset(&one, 0, sizeof(one));
		ck_assert_int_eq(cover_look_at(l, 0, &one.c), -1);
		ck_assert_int_eq(errno, EPROTO);
		ck_assert_mem_eq(one.guard, before.guard, sizeof(one.guard));
		cover_look_free(l);
	}
	munmap(map, ROOM_AT + 4096);
}
END_TEST

START_TEST(a_request_is_none_that_goes_on)
{
	struct cover_look	*l;
	struct covered		 c;
	struct capsule		 cap;

	begin();
	fill(&cap, 5);
	cap.protocol = CAPSULE_HTTP;
	cap.deflate = 0;
	ck_assert_uint_ne(cover_add(&cap, NULL, place, 0, 0), 0);
	l = look();
	ck_assert_int_eq(cover_look_find(l, 5, &c), -1);
	ck_assert_int_eq(errno, EPROTO);
	cover_look_free(l);
}
END_TEST

START_TEST(moves_are_counted_as_far_as_there_is_room)
{
	struct cover_look	*l;
	struct covered		 c;
	struct capsule		 cap;

	begin();
	fill(&cap, 5);
	cap.hops = UINT8_MAX + 3;
	ck_assert_uint_ne(cover_add(&cap, NULL, place, 0, 0), 0);
	l = look();
	ck_assert_int_eq(cover_look_find(l, 5, &c), 0);
	ck_assert_uint_eq(c.cap.hops, UINT8_MAX);
	cover_look_free(l);
}
END_TEST

START_TEST(who_has_gone_leaves_no_bytes_behind)
{
	static char	 text[3000];
	struct slice	 s = slice_of(text, sizeof(text));
	struct stat	 st;
	struct capsule	 cap;
	uint32_t	 slot;
	off_t		 size = 0;

	begin();
	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 20000; i++) {
		fill(&cap, (uint64_t)i + 1);
		ck_assert_uint_eq(slot = cover_add(&cap, NULL, place, 0, 0), 1);
		ck_assert_int_eq(cover_topics(slot, s), 0);
		ck_assert_int_eq(cover_state(slot, s), 0);
		ck_assert_int_eq(cover_checkpoint(slot, s, 1), 0);
		ck_assert_int_eq(cover_checkpoint(slot, s, 1), 0);
		cover_remove(slot);
		ck_assert_int_eq(fstat(fd, &st), 0);
		if (i == 10)
			size = st.st_size;
	}
	ck_assert_int_eq(st.st_size, size);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("cover");
	TCase	*t = tcase_create("cover");
	SRunner	*r = srunner_create(s);
	int	 failed;

	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_connection_is_read_as_it_was_written);
	tcase_add_test(t, the_cell_and_the_bits_tell_how_each_was_left);
	tcase_add_test(t, of_a_write_the_kernel_knows_how_far_it_came);
	tcase_add_test(t, of_whom_it_was_not_known_it_is_not_known);
	tcase_add_loop_test(t, an_older_shard_has_no_lengths, 0, 2);
	tcase_add_test(t, an_older_gateway_finds_what_it_knows);
	tcase_add_test(t, strikes_are_counted_and_forgotten);
	tcase_add_test(t, the_last_checkpoint_is_the_one);
	tcase_add_test(t, many_come_and_go);
	tcase_add_test(t, without_a_page_nothing_is_covered);
	tcase_add_test(t, what_the_shard_reads_of_a_client_stands_in_the_page_once);
	tcase_add_test(t, who_a_client_is_is_known_without_a_page);
	tcase_add_test(t, a_page_without_cover_is_refused);
	tcase_add_test(t, any_bytes_are_refused_or_within_bounds);
	tcase_add_test(t, each_word_of_the_head_has_its_bounds);
	tcase_add_test(t, more_headers_than_a_record_has_are_refused);
	tcase_add_test(t, a_request_is_none_that_goes_on);
	tcase_add_test(t, moves_are_counted_as_far_as_there_is_room);
	tcase_add_test(t, who_has_gone_leaves_no_bytes_behind);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed == 0 ? 0 : 1);
}
