/* What placing a connection needs. */
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "gatewayd/handoff_ask.h"
#include "proto/capsule.h"

static char	 bytes[512];
static size_t	 used;

/* A slice in memory that is overwritten later. */
static struct slice
make(const char *text)
{
	size_t	 len = strlen(text), at = used;

	memcpy(bytes + at, text, len);
	used += len;
	return (slice_of(bytes + at, len));
}

START_TEST(a_copy_needs_nothing_of_what_it_was_copied_from)
{
	struct capsule_header	 headers[2];
	struct handoff_ask	 ask = { .id = 7, .limit = 3 }, copy;
	size_t			 size;
	char			*room;

	used = 0;
	ask.group = make("room");
	ask.uid = make("bob");
	ask.app = make("chat");
	ask.route = make("lobby");
	ask.peer = make("10.0.0.1:99");
	ask.via = make("10.0.0.2:98");
	ask.early = make("GET / HTTP/1.1\r\n\r\n");
	headers[0] = (struct capsule_header){ make("A"), make("1") };
	headers[1] = (struct capsule_header){ make("Bee"), make("") };
	ask.headers = headers;
	ask.nheaders = 2;
	size = handoff_ask_size(&ask);
	ck_assert_uint_eq(size, sizeof(headers) + used);
	room = malloc(size);
	ck_assert_ptr_nonnull(room);
	handoff_ask_copy(&copy, &ask, room);
	memset(bytes, 'x', sizeof(bytes));
	memset(headers, 0, sizeof(headers));
	ck_assert_uint_eq(copy.id, 7);
	ck_assert_uint_eq(copy.limit, 3);
	ck_assert(slice_is(copy.group, "room"));
	ck_assert(slice_is(copy.uid, "bob"));
	ck_assert(slice_is(copy.app, "chat"));
	ck_assert(slice_is(copy.route, "lobby"));
	ck_assert(slice_is(copy.peer, "10.0.0.1:99"));
	ck_assert(slice_is(copy.via, "10.0.0.2:98"));
	ck_assert(slice_is(copy.early, "GET / HTTP/1.1\r\n\r\n"));
	ck_assert_uint_eq(copy.nheaders, 2);
	ck_assert(slice_is(copy.headers[0].name, "A"));
	ck_assert(slice_is(copy.headers[0].value, "1"));
	ck_assert(slice_is(copy.headers[1].name, "Bee"));
	ck_assert_uint_eq(copy.headers[1].value.len, 0);
	free(room);
}
END_TEST

START_TEST(no_group_and_an_empty_one_are_two_things)
{
	struct handoff_ask	 ask = { .id = 1 }, copy;
	char			 room[16];

	handoff_ask_copy(&copy, &ask, room);
	ck_assert_ptr_null(copy.group.data);
	ask.group = slice_of("", 0);
	ck_assert_uint_eq(handoff_ask_size(&ask), 0);
	handoff_ask_copy(&copy, &ask, room);
	ck_assert_ptr_nonnull(copy.group.data);
	ck_assert_uint_eq(copy.group.len, 0);
}
END_TEST

START_TEST(no_more_headers_than_a_capsule_has)
{
	static struct capsule_header	 headers[CAPSULE_HEADERS_MAX + 1];
	struct handoff_ask		 ask = { .id = 1 }, copy;
	char				*room;

	for (size_t i = 0; i < nitems(headers); i++) {
		headers[i].name = slice_str("N");
		headers[i].value = slice_str("V");
	}
	ask.headers = headers;
	ask.nheaders = nitems(headers);
	room = malloc(handoff_ask_size(&ask));
	ck_assert_ptr_nonnull(room);
	handoff_ask_copy(&copy, &ask, room);
	ck_assert_uint_eq(copy.nheaders, CAPSULE_HEADERS_MAX);
	free(room);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("handoff_ask");
	TCase	*t = tcase_create("handoff_ask");
	SRunner	*sr;
	int	 failed;

	tcase_add_test(t, a_copy_needs_nothing_of_what_it_was_copied_from);
	tcase_add_test(t, no_group_and_an_empty_one_are_two_things);
	tcase_add_test(t, no_more_headers_than_a_capsule_has);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
