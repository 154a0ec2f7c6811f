/*
 * look FILE: what the page of a shard, open in FILE (/proc/PID/fd/N), says of its
 * connections.  A line each, in the order of their ids: fields as KEY=VALUE, escaped like
 * a query's and with a blank between.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/cover_look.h"
#include "proto/page.h"

/* One field of bytes. */
static void
print(const char *key, struct slice s)
{
	printf(" %s=", key);
	for (size_t i = 0; i < s.len; i++)
		if (isalnum((unsigned char)s.data[i]))
			putchar(s.data[i]);
		else
			printf("%%%02x", (unsigned char)s.data[i]);
}

/* One connection. */
static void
print_one(const struct covered *c)
{
	static const char *const	 rests[] = {
		[COVER_AT_REST]		= "rest",
		[COVER_AT_WORK]		= "work",
		[COVER_AMID_IN]		= "in",
		[COVER_AMID_OUT]	= "out",
		[COVER_GOING]		= "going",
		[COVER_WRITING]		= "writing",
	};
	const struct capsule		*cap = &c->cap;

	printf("id=%llx rest=%s protocol=%d hops=%u strikes=%u deflate=%u "
	    "version=%u", (unsigned long long)c->id, rests[c->rest],
	    (int)cap->protocol, cap->hops, cap->strikes, cap->deflate,
	    cap->blob_version);
	if (c->rest == COVER_WRITING)
		printf(" before=%u length=%llu none=%s whole=%s", c->before,
		    (unsigned long long)c->length, rests[c->none],
		    rests[c->whole]);
	print("uid", cap->uid);
	print("peer", cap->peer);
	print("app", cap->app);
	print("group", cap->group);
	print("route", cap->route);
	print("topics", cap->topics);
	print("state", cap->state);
	print("kept", cap->blob);
	for (size_t i = 0; i < cap->nheaders; i++) {
		print("name", cap->headers[i].name);
		print("value", cap->headers[i].value);
	}
	putchar('\n');
}

int
main(int argc, char **argv)
{
	int			 fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
	struct page_head	 head;
	struct cover_look	*l;
	struct covered		 c;

	if (fd == -1 || pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
	    (l = cover_look_new(fd, head.incarnation)) == NULL) {
		perror(argc == 2 ? argv[1] : "usage: look FILE");
		return (1);
	}
	for (size_t i = 0; i < cover_look_count(l); i++) {
		if (cover_look_at(l, i, &c) == 0)
			print_one(&c);
		else
			printf("id=%llx bad=\n", (unsigned long long)c.id);
	}
	cover_look_free(l);
	return (0);
}
