/* Request head to application, group and uid. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <check.h>

#include "common/networks.h"
#include "gatewayd/forwarded.h"
#include "gatewayd/route.h"
#include "gatewayd/routes.h"

static struct routes	*routes;
static struct route_match match;
static struct http_head	 head;
static const char	*why;

static void
setup(void)
{
	routes = routes_new();
	ck_assert_ptr_nonnull(routes);
}

static void
teardown(void)
{
	routes_free(routes);
}

/* A route from "key = value" pairs, NULL-terminated. */
static void
route(const char *label, const char *const *pairs)
{
	ck_assert_int_eq(routes_section(routes, label, &why), 0);
	for (; pairs[0] != NULL; pairs += 2)
		ck_assert_msg(routes_option(routes, pairs[0], pairs[1],
		    &why) == 0, "%s = %s: %s", pairs[0], pairs[1], why);
}
#define ROUTE(label, ...)						\
	route(label, (const char *const []){ __VA_ARGS__, NULL })

static void
refused(const char *key, const char *value, const char *word)
{
	why = NULL;
	ck_assert_msg(routes_option(routes, key, value, &why) == -1,
	    "%s = %s was taken", key, value);
	ck_assert_ptr_nonnull(why);
	ck_assert_msg(strstr(why, word) != NULL, "%s: %s", value, why);
}

/* The result of route_find for "GET target" and more header lines. */
static int
find_with(const char *target, const char *lines)
{
	static char	 text[16384];
	size_t		 scanned = 0;
	int		 n;

	n = snprintf(text, sizeof(text),
	    "GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n", target, lines);
	ck_assert_int_lt(n, (int)sizeof(text));
	ck_assert_int_eq(http_head_parse(&head, text, (size_t)n, &scanned,
	    &http_limits_default), PARSE_DONE);
	memset(&match, 0x5a, sizeof(match));
	return (routes_find(routes, &head, &match, &why));
}

static int
find(const char *target)
{
	return (find_with(target, ""));
}

static void
not_found(const char *target)
{
	ck_assert_msg(find(target) == -1 && errno == ENOENT, "%s", target);
}

#define ck_assert_slice(s, text)					\
	ck_assert_msg(slice_is(s, text), "%.*s, not %s", (int)(s).len,	\
	    (s).data, text)

START_TEST(the_first_route_that_matches_wins)
{
	ROUTE("a", "path", "/x", "app", "one");
	ROUTE("b", "path", "/* /x", "app", "two");
	ck_assert_int_eq(find("/x"), 0);
	ck_assert_str_eq(match.label, "a");
	ck_assert_str_eq(match.app, "one");
	ck_assert_int_eq(match.has_group, 0);
	ck_assert_uint_eq(match.uid.len, 0);
	ck_assert_uint_eq(match.limit, ROUTE_LIMIT);
	ck_assert_int_eq(find("/y/z?q"), 0);
	ck_assert_str_eq(match.label, "b");
	ck_assert_int_eq(find("/"), 0);
	ck_assert_str_eq(match.label, "b");
}
END_TEST

START_TEST(paths_match_by_segments)
{
	ROUTE("root", "path", "/", "app", "a");
	ROUTE("pages", "path", "/pages/*", "app", "a");
	ROUTE("room", "path", "/lobby/{group}/ws /lobby/{group}/emit",
	    "app", "a", "group", "path:group");
	ck_assert_int_eq(find("/"), 0);
	ck_assert_int_eq(find("/?a=/b"), 0);
	ck_assert_int_eq(find("/pages/"), 0);
	ck_assert_int_eq(find("/pages/a/b.css"), 0);
	ck_assert_int_eq(find("/lobby/x/ws"), 0);
	ck_assert_int_eq(find("/lobby/x/emit"), 0);
	ck_assert_int_eq(find("/lobb%79/x/%65mit"), 0);
	not_found("//");
	not_found("/pages");
	not_found("/pagesx/");
	not_found("/lobby/x/ws/");
	not_found("/lobby//ws");
	not_found("/lobby/x/y/ws");
	not_found("/lobby/x%2Fy");
	not_found("/Lobby/x/ws");
	not_found("/lobby/x/broadcast");
	not_found("/lobby%2Fx/ws");
	not_found("/lobby%00/x/ws");
}
END_TEST

START_TEST(a_path_gives_decoded_bytes)
{
	ROUTE("room", "path", "/l/{g}/{u}", "app", "a", "group", "path:g",
	    "uid", "path:u");
	ck_assert_int_eq(find("/l/a%20b%2Fc+d/%E2%82%AC"), 0);
	ck_assert_slice(match.group, "a b/c+d");
	ck_assert_slice(match.uid, "\xe2\x82\xac");
	ck_assert_int_eq(match.uid_made, 0);
	ck_assert_int_eq(find("/l/%00%ff/.."), 0);
	ck_assert_uint_eq(match.group.len, 2);
	ck_assert_int_eq(memcmp(match.group.data, "\0\xff", 2), 0);
	ck_assert_slice(match.uid, "..");
	ck_assert_int_eq(find("/l/%zz/%"), 0);
	ck_assert_slice(match.group, "%zz");
	ck_assert_slice(match.uid, "%");
}
END_TEST

START_TEST(sources_are_tried_in_order_and_empty_is_missing)
{
	ROUTE("r", "path", "/r", "app", "a", "group",
	    "query:g cookie:g header:X-G const:none", "uid",
	    "bearer const:anon");
	ck_assert_int_eq(find("/r"), 0);
	ck_assert_slice(match.group, "none");
	ck_assert_slice(match.uid, "anon");
	ck_assert_int_eq(find("/r?g="), 0);
	ck_assert_slice(match.group, "none");
	ck_assert_int_eq(find_with("/r?g=", "X-G: h\r\n"), 0);
	ck_assert_slice(match.group, "h");
	ck_assert_int_eq(find_with("/r?g=", "X-G: h\r\nCookie: g=c\r\n"), 0);
	ck_assert_slice(match.group, "c");
	ck_assert_int_eq(find_with("/r?x&g=q+%26", "X-G: h\r\n"
	    "Cookie: g=c\r\nAuthorization: Bearer tok\r\n"), 0);
	ck_assert_slice(match.group, "q &");
	/* printf tok | sha256sum */
	ck_assert_slice(match.uid, "sha256-"
	    "1a7674eb4ee78df7e1ac439a93c3fa8e3c945784d4dec9fd8e3011738b2f1d62");
}
END_TEST

#define WOOF	"sha256-" /* printf woof | sha256sum */			\
    "1811bdd29f2cfe95e6e23402e2390fa1012708fc52ef8b8a29ee540b1c481534"

static const struct { const char *uid, *lines; int digest; } credentials[] = {
	{ "bearer", "Authorization: Bearer woof\r\n", 1 },
	{ "header:Authorization", "Authorization: woof\r\n", 1 },
	{ "header:proxy-authorization", "Proxy-Authorization: woof\r\n", 1 },
	{ "header:Cookie", "Cookie: woof\r\n", 1 },
	{ "header:X-User", "X-User: woof\r\n", 0 },
	{ "cookie:c", "Cookie: c=woof\r\n", 0 },
	{ "digest:cookie:c", "Cookie: c=woof\r\n", 1 },
	{ "digest:header:X-User", "X-User: woof\r\n", 1 },
	{ "digest:query:w", "", 1 }, { "query:w", "", 0 },
	{ "digest:path:p", "", 1 }, { "path:p", "", 0 },
};

START_TEST(a_credential_is_no_name)
{
	ROUTE("r", "path", "/{p}", "app", "a", "group", "const:g", "uid",
	    credentials[_i].uid);
	ck_assert_int_eq(find_with("/woof?w=woof", credentials[_i].lines), 0);
	ck_assert_slice(match.uid, credentials[_i].digest ? WOOF : "woof");
	ck_assert_int_eq(match.uid_made, 0);
}
END_TEST

START_TEST(a_digest_is_not_what_a_client_says)
{
	ROUTE("r", "path", "/{p}", "app", "a", "group", "const:g", "uid",
	    "query:u cookie:u header:X-U path:p bearer");
	ck_assert_int_eq(find_with("/" WOOF "?u=" WOOF, "Cookie: u=" WOOF
	    "\r\nX-U: " WOOF "\r\n"), -1);
	ck_assert_int_eq(errno, EBADMSG);
	ck_assert_int_eq(find("/%73ha256-x?u=s%68a256-"), -1);
	ck_assert_int_eq(find_with("/" WOOF "?u=" WOOF, "Cookie: u=" WOOF
	    "\r\nAuthorization: Bearer woof\r\n"), 0);
	ck_assert_slice(match.uid, WOOF);
	ck_assert_int_eq(find("/SHA256-x"), 0);
	ck_assert_slice(match.uid, "SHA256-x");
}
END_TEST

/* Of a credential only the digest has to be short. */
START_TEST(a_long_credential_is_as_good)
{
	char	 lines[2100] = "Authorization: Bearer ";

	memset(lines + strlen(lines), 'x', 2000);
	strcat(lines, "\r\n");
	ROUTE("r", "path", "/r", "app", "a", "group", "const:g", "uid",
	    "bearer");
	ck_assert_int_eq(find_with("/r", lines), 0);
	ck_assert_uint_eq(match.uid.len, 71);
}
END_TEST

START_TEST(without_a_value_the_request_is_bad)
{
	ROUTE("r", "path", "/r", "app", "a", "group", "query:g", "uid",
	    "query:u");
	ck_assert_int_eq(find("/r?u=x"), -1);
	ck_assert_int_eq(errno, EBADMSG);
	ck_assert_ptr_nonnull(strstr(why, "which group"));
	ck_assert_int_eq(find("/r?g=x"), -1);
	ck_assert_int_eq(errno, EBADMSG);
	ck_assert_ptr_nonnull(strstr(why, "who"));
}
END_TEST

START_TEST(too_long_is_bad_whatever_follows)
{
	char	 target[4096];
	int	 n;

	ROUTE("q", "path", "/q", "app", "a", "group", "query:g const:x");
	ROUTE("p", "path", "/p/{g}", "app", "a", "group", "path:g const:x");
	for (int i = 0; i < 4; i++) {
		static const char	*const heads[] = { "/q?g=", "/q?u=1&g=",
		    "/p/", "/p/%61" };

		n = snprintf(target, sizeof(target), "%s", heads[i]);
		memset(target + n, 'x', GROUP_MAX);
		target[n + GROUP_MAX - (i == 3)] = '\0';
		ck_assert_int_eq(find(target), 0);
		ck_assert_uint_eq(match.group.len, GROUP_MAX);
		memcpy(target + n + GROUP_MAX - (i == 3), "x", 2);
		ck_assert_int_eq(find(target), -1);
		ck_assert_int_eq(errno, EBADMSG);
		ck_assert_ptr_nonnull(strstr(why, "too long"));
	}
	n = snprintf(target, sizeof(target), "/p/");
	memset(target + n, 'x', 4000);
	target[n + 4000] = '\0';
	ck_assert_int_eq(find(target), -1);
	ck_assert_int_eq(errno, EBADMSG);
}
END_TEST

START_TEST(made_uids_have_their_forms_and_differ)
{
	char	 first[36];

	ROUTE("u", "path", "/u", "app", "a", "group", "const:g", "uid",
	    "query:u uuid");
	ROUTE("r", "path", "/r", "app", "a", "group", "const:g", "uid",
	    "random20");
	ROUTE("d", "path", "/d", "app", "a", "group", "const:g");
	ck_assert_int_eq(find("/u?u=me"), 0);
	ck_assert_int_eq(match.uid_made, 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(find(i ? "/d" : "/u"), 0);
		ck_assert_int_eq(match.uid_made, 1);
		ck_assert_uint_eq(match.uid.len, 36);
		for (size_t k = 0; k < 36; k++)
			ck_assert(k == 8 || k == 13 || k == 18 || k == 23 ?
			    match.uid.data[k] == '-' :
			    strchr("0123456789abcdef", match.uid.data[k]) !=
			    NULL);
		ck_assert_int_eq(match.uid.data[14], '4');
		ck_assert_ptr_nonnull(strchr("89ab", match.uid.data[19]));
	}
	memcpy(first, match.uid.data, 36);
	ck_assert_int_eq(find("/d"), 0);
	ck_assert_int_ne(memcmp(first, match.uid.data, 36), 0);
	ck_assert_int_eq(find("/r"), 0);
	ck_assert_int_eq(match.uid_made, 1);
	ck_assert_uint_eq(match.uid.len, 20);
	for (size_t k = 0; k < 20; k++)
		ck_assert_ptr_nonnull(strchr(
		    "0123456789ABCDEFGHJKMNPQRSTVWXYZ", match.uid.data[k]));
}
END_TEST

START_TEST(the_group_may_stand_in_the_names_of_uids)
{
	ROUTE("r", "path", "/r/{g}", "app", "a", "group", "path:g", "uid",
	    "cookie:{group_id}_session cookie:s-{group}-x const:in_{group}");
	/* SHA-256 of "abc" begins ba7816bf8f01cfea. */
	ck_assert_int_eq(find_with("/r/abc",
	    "Cookie: a=1; ba7816bf8f01cfea_session=me; s-abc-x=you\r\n"), 0);
	ck_assert_slice(match.uid, "me");
	ck_assert_int_eq(find_with("/r/abc", "Cookie: s-abc-x=you\r\n"), 0);
	ck_assert_slice(match.uid, "you");
	ck_assert_int_eq(find("/r/abc"), 0);
	ck_assert_slice(match.uid, "in_abc");
	/* A NUL cannot be part of a name. */
	ck_assert_int_eq(find("/r/a%00c"), -1);
	ck_assert_int_eq(errno, EBADMSG);
}
END_TEST

START_TEST(named_header_fields_are_kept)
{
	char	 lines[4096] = "";

	ROUTE("r", "path", "/r", "app", "a", "keep", "user-agent X-A");
	ck_assert_int_eq(find_with("/r", "X-B: 0\r\nx-a: 1\r\nX-A: 2\r\n"
	    "User-Agent: me\r\n"), 0);
	ck_assert_uint_eq(match.nheaders, 3);
	ck_assert_slice(match.headers[0].name, "x-a");
	ck_assert_slice(match.headers[1].value, "2");
	ck_assert_slice(match.headers[2].value, "me");
	for (int i = 0; i < 40; i++)
		strcat(lines, "X-A: again\r\n");
	ck_assert_int_eq(find_with("/r", lines), 0);
	ck_assert_uint_eq(match.nheaders, CAPSULE_HEADERS_MAX);
}
END_TEST

START_TEST(mistakes_are_explained)
{
	char	 long_name[300];

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[0] = '/';
	long_name[sizeof(long_name) - 1] = '\0';
	ck_assert_int_eq(routes_option(routes, "path", "/", &why), -1);
	ck_assert_int_eq(routes_section(routes, "", &why), -1);
	ck_assert_int_eq(routes_section(routes, "a", &why), 0);
	ck_assert_int_eq(routes_section(routes, "a", &why), -1);
	refused("paths", "/", "unknown key");
	refused("path", "x", "begins with '/'");
	refused("path", "/a x", "begins with '/'");
	refused("path", "/*/a", "last");
	refused("path", "/a*", "segment");
	refused("path", "/a{b}", "segment");
	refused("path", "/{}", "segment");
	refused("path", "/a?b", "segment");
	refused("path", long_name, "too long");
	refused("path", "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", "too many");
	refused("app", "", "application");
	refused("app", "a b", "application");
	refused("app", long_name, "application");
	refused("group", "", "source");
	refused("group", "none path:x", "source");
	refused("group", "const:", "name");
	refused("group", "bearer:x", "no name");
	refused("group", "uuid:", "no name");
	refused("group", "cookie:{group}", "only in uid");
	refused("uid", "cookies:x", "source");
	refused("uid", "digest", "source");
	refused("uid", "digest:", "source");
	refused("uid", "digest:digest:bearer", "source");
	refused("uid", "digest:uuid", "digest: stands before");
	refused("uid", "digest:const:x", "digest: stands before");
	refused("limit", "0", "");
	refused("limit", "x", "");
	refused("message_rate", "0", "none");
	refused("byte_rate", "0", "none");
	refused("message_burst", "0", "must be from 1");
	refused("link", "/a b", "spaces");
}
END_TEST

static void
kept(const char *name, const char *value)
{
	for (size_t i = 0; i < match.nheaders; i++) {
		if (!slice_is(match.headers[i].name, name))
			continue;
		ck_assert_ptr_nonnull(value);
		ck_assert_slice(match.headers[i].value, value);
		return;
	}
	ck_assert_msg(value == NULL, "%s is not kept", name);
}

START_TEST(parts_of_the_request_are_kept)
{
	static char	 text[8000];

	ROUTE("r", "keep", "path:a X-A cookie:c query:q query:r path:b", "path",
	    "/{a}/{b}", "app", "a");
	ck_assert_int_eq(find_with("/x%20y/z?q=1+2&r=&s=3", "X-A: A\r\n"
	    "Cookie: d=4; c=\"w%3b\"\r\n"), 0);
	ck_assert_uint_eq(match.nheaders, 5);
	kept("path:a", "x y");
	kept("path:b", "z");
	kept("query:q", "1 2");
	kept("query:r", NULL);
	kept("cookie:c", "w;");
	kept("X-A", "A");
	ck_assert_int_eq(find("/x/y%00z"), 0);
	ck_assert_uint_eq(match.nheaders, 1);
	kept("path:a", "x");
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "/a/b?q=", 7);
	ck_assert_int_eq(find(text), 0);
	ck_assert_uint_eq(match.nheaders, 3);
	refused("keep", "path:c", "no {c} in the path");
	refused("keep", "uuid:x", "what is kept");
	refused("keep", "digest:cookie:s", "what is kept");
	refused("keep", "header:X", "what is kept");
	refused("keep", "query:", "what is kept");
	refused("keep", "query:1 query:2 query:3 query:4 query:5", "too many");
}
END_TEST

static void
incomplete(const char *word)
{
	char	 err[512];

	ck_assert_int_eq(routes_check(routes, err, sizeof(err)), -1);
	ck_assert_msg(strstr(err, word) != NULL, "%s", err);
}

START_TEST(routes_are_complete)
{
	incomplete("no routes");
	ROUTE("a", "app", "x");
	incomplete("[route a] needs the key \"path\"");
	ck_assert_int_eq(routes_option(routes, "path", "/a", &why), 0);
	ROUTE("b", "path", "/b");
	incomplete("[route b] needs the key \"app\"");
	ck_assert_int_eq(routes_option(routes, "app", "x", &why), 0);
	ROUTE("c", "path", "/c/{g}", "app", "x", "uid", "path:g");
	refused("path", "/c/{h}", "no {g} in the path /c/{h}");
	refused("group", "const:x path:h", "no {h} in the path /c/{g}");
}
END_TEST

START_TEST(routes_are_of_one_mind_about_limits)
{
	char	 err[512];

	ROUTE("a", "path", "/a/{g}", "app", "x", "group", "path:g", "limit",
	    "2");
	ROUTE("b", "path", "/b", "app", "y", "group", "const:g");
	ROUTE("c", "path", "/c", "app", "x");
	ROUTE("d", "path", "/d", "app", "y", "group", "const:other", "limit",
	    "7");
	ck_assert_int_eq(routes_check(routes, err, sizeof(err)), 0);
	ROUTE("e", "path", "/e", "app", "x", "group", "const:g");
	incomplete("[route a] and [route e]");
	routes_set_limit(routes, 9);
	ck_assert_int_eq(routes_check(routes, err, sizeof(err)), 0);
	ck_assert_int_eq(find("/e"), 0);
	ck_assert_uint_eq(match.limit, 9);
}
END_TEST

static void
link_cb(const char *link, const char *about, void *arg)
{
	strcat(arg, link);
	strcat(arg, "=");
	strcat(arg, about);
	strcat(arg, ";");
}

START_TEST(links_are_listed)
{
	char	 text[128] = "";

	ROUTE("a", "path", "/a", "app", "x", "link", "/a", "about", "The A");
	ROUTE("b", "path", "/b", "app", "x");
	ROUTE("c", "path", "/c", "app", "x", "link", "/c");
	routes_links(routes, link_cb, text);
	ck_assert_str_eq(text, "/a=The A;/c=c;");
}
END_TEST

START_TEST(the_star_target_has_no_route)
{
	static const char	 text[] =
	    "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n";
	size_t			 scanned = 0;

	ROUTE("all", "path", "/*", "app", "x");
	ck_assert_int_eq(http_head_parse(&head, text, sizeof(text) - 1, &scanned,
	    &http_limits_default), PARSE_DONE);
	ck_assert_int_eq(routes_find(routes, &head, &match, &why), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

static int	 trusted;

/* May a request with these header lines use /x? */
static int
allowed(const char *lines)
{
	struct networks		*proxies = networks_new("10.0.0.1");
	struct forwarded	 from;
	struct origin_here	 here;

	ck_assert_int_eq(find_with("/x", lines), 0);
	forwarded_find(&from, &head, slice_str(trusted ? "10.0.0.1:5" :
	    "10.0.0.2:5"), proxies);
	networks_free(proxies);
	here.host = from.host.data != NULL ? from.host : head.host;
	here.scheme = from.proto;
	return (route_allows(match.route, &head, &here));
}

START_TEST(other_origins_are_kept_out)
{
	ROUTE("x", "path", "/x", "app", "a",
	    "origin", "self https://a.example", "origin", "http://b:81");
	ck_assert(allowed(""));
	ck_assert(allowed("Origin: https://a.example\r\n"));
	ck_assert(allowed("Origin: HTTPS://A.Example\r\n"));
	ck_assert(allowed("Origin: http://b:81\r\n"));
	ck_assert(allowed("Origin: http://h\r\n"));
	ck_assert(allowed("Origin: https://H\r\n"));
	ck_assert(!allowed("Origin: null\r\n"));
	ck_assert(!allowed("Origin: self\r\n"));
	ck_assert(!allowed("Origin:\r\n"));
	ck_assert(!allowed("Origin: http://a.example\r\n"));
	ck_assert(!allowed("Origin: https://a.example:444\r\n"));
	ck_assert(!allowed("Origin: https://a.example.evil\r\n"));
	ck_assert(!allowed("Origin: https://b.a.example\r\n"));
	ck_assert(!allowed("Origin: ftp://h\r\n"));
	ck_assert(!allowed("Origin: http://h:81\r\n"));
	ck_assert(!allowed("Origin: http://h\r\nOrigin: http://c\r\n"));
}
END_TEST

START_TEST(origins_of_any_kind)
{
	ROUTE("x", "path", "/x", "app", "a", "origin", "null https://a:443 "
	    "http://b https://*.c.example app://local "
	    "chrome-extension://abcdef http://[::1]:8080 https://*.d:81");
	ck_assert(allowed("Origin: null\r\n"));
	ck_assert(!allowed("Origin: NULL\r\n"));
	/* A port that is the scheme's is as good as none. */
	ck_assert(allowed("Origin: https://a\r\n"));
	ck_assert(allowed("Origin: https://a:443\r\n"));
	ck_assert(!allowed("Origin: https://a:80\r\n"));
	ck_assert(allowed("Origin: http://b:80\r\n"));
	ck_assert(!allowed("Origin: http://b:443\r\n"));
	/* Below a host, at any depth, but not itself. */
	ck_assert(allowed("Origin: https://x.c.example\r\n"));
	ck_assert(allowed("Origin: https://X.y.C.example:443\r\n"));
	ck_assert(!allowed("Origin: https://c.example\r\n"));
	ck_assert(!allowed("Origin: https://.c.example\r\n"));
	ck_assert(!allowed("Origin: https://xc.example\r\n"));
	ck_assert(!allowed("Origin: http://x.c.example\r\n"));
	ck_assert(!allowed("Origin: https://x.c.example.evil\r\n"));
	ck_assert(!allowed("Origin: https://evil/.c.example\r\n"));
	ck_assert(!allowed("Origin: https://evil#.c.example\r\n"));
	ck_assert(!allowed("Origin: https://evil\\.c.example\r\n"));
	ck_assert(!allowed("Origin: https://evil:1.c.example\r\n"));
	ck_assert(!allowed("Origin: https://u@x.c.example\r\n"));
	ck_assert(!allowed("Origin: https://x.d\r\n"));
	ck_assert(allowed("Origin: https://x.d:81\r\n"));
	/* Schemes that are nobody's. */
	ck_assert(allowed("Origin: app://local\r\n"));
	ck_assert(!allowed("Origin: app://local:1\r\n"));
	ck_assert(allowed("Origin: chrome-extension://abcdef\r\n"));
	ck_assert(!allowed("Origin: moz-extension://abcdef\r\n"));
	ck_assert(allowed("Origin: http://[::1]:8080\r\n"));
	ck_assert(!allowed("Origin: http://[::1]\r\n"));
	ck_assert(!allowed("Origin: https://h\r\n"));	/* no self here */
}
END_TEST

START_TEST(self_is_the_host_as_the_client_knows_it)
{
	ROUTE("x", "path", "/x", "app", "a", "origin", "self");
	ck_assert(allowed("Origin: http://h:80\r\n"));
	ck_assert(allowed("Origin: https://h:443\r\n"));
	ck_assert(!allowed("Origin: app://h\r\n"));
	/* What anybody may send is not believed. */
	ck_assert(!allowed("X-Forwarded-Host: www\r\nOrigin: http://www\r\n"));
	trusted = 1;
	ck_assert(allowed("X-Forwarded-Host: www\r\nOrigin: http://www\r\n"));
	ck_assert(!allowed("X-Forwarded-Host: www\r\nOrigin: http://h\r\n"));
	ck_assert(allowed("X-Forwarded-Proto: https\r\n"
	    "Origin: https://h\r\n"));
	ck_assert(!allowed("X-Forwarded-Proto: https\r\n"
	    "Origin: http://h\r\n"));
	ck_assert(allowed("X-Forwarded-Host: www:443\r\nX-Forwarded-Proto: "
	    "https\r\nOrigin: https://www\r\n"));
	/* The nearest proxy's word is the last. */
	ck_assert(!allowed("X-Forwarded-Host: evil, www\r\n"
	    "Origin: http://evil\r\n"));
	ck_assert(allowed("X-Forwarded-Host: evil, www\r\n"
	    "Origin: http://www\r\n"));
	trusted = 0;
}
END_TEST

/* The subprotocol that is chosen, or NULL. */
static const char *
chosen(const char *lines)
{
	static char	 text[80];

	ck_assert_int_eq(find_with("/x", lines), 0);
	if (!match.protocol)
		return (NULL);
	ck_assert(slice_is(match.headers[0].name, "Sec-WebSocket-Protocol"));
	for (size_t i = 1; i < match.nheaders; i++)
		ck_assert(!slice_caseis(match.headers[i].name,
		    "Sec-WebSocket-Protocol"));
	snprintf(text, sizeof(text), "%.*s", (int)match.headers[0].value.len,
	    match.headers[0].value.data);
	return (text);
}

START_TEST(the_first_subprotocol_that_is_offered_is_chosen)
{
	ROUTE("x", "path", "/x", "app", "a", "protocols", "v2 v1",
	    "protocols", "json", "keep", "Sec-WebSocket-Protocol A");
	ck_assert_ptr_null(chosen(""));
	ck_assert_ptr_null(chosen("Sec-WebSocket-Protocol: v3, V2\r\n"));
	ck_assert_ptr_null(chosen("Sec-WebSocket-Protocol:\r\n"));
	ck_assert_ptr_null(chosen("Sec-WebSocket-Protocol: ,,v\r\n"));
	ck_assert_str_eq(chosen("Sec-WebSocket-Protocol: v1, v2\r\n"), "v2");
	ck_assert_str_eq(chosen("Sec-WebSocket-Protocol: json\r\nA: b\r\n"
	    "sec-websocket-protocol: x ,v1\r\n"), "v1");
	ck_assert_uint_eq(match.nheaders, 2);
	refused("protocols", "", "at least one");
	refused("protocols", "a,b", "letters");
	refused("protocols", "a\"b", "letters");
}
END_TEST

/* Where a request for target is sent instead, or NULL. */
static const char *
moved(const char *target)
{
	static char		 text[200];
	static struct http_head	 h;
	struct buf		 to = { 0 };
	size_t			 scanned = 0;
	int			 n, rc;

	n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n",
	    target);
	ck_assert_int_eq(http_head_parse(&h, text, (size_t)n, &scanned,
	    &http_limits_default), PARSE_DONE);
	rc = routes_slash(routes, &h, &to);
	if (rc == 0)
		snprintf(text, sizeof(text), "%.*s", (int)to.len, to.data);
	buf_clear(&to);
	return (rc == 0 ? text : NULL);
}

START_TEST(a_slash_too_many_or_too_few_is_moved)
{
	ROUTE("x", "path", "/x /y/ /a/{b} /{h}", "app", "a");
	ck_assert_str_eq(moved("/x/"), "/x");
	ck_assert_str_eq(moved("/x/?a=b/&c"), "/x?a=b/&c");
	ck_assert_str_eq(moved("/a/b/"), "/a/b");
	ck_assert_str_eq(moved("/a%2fb/"), "/a%2fb");
	ck_assert_str_eq(moved("/y"), "/y/");
	ck_assert_ptr_null(moved("/a/b/c"));
	ck_assert_ptr_null(moved("/x//"));
	/* Never to another site. */
	ck_assert_ptr_null(moved("//evil.example/"));
	ck_assert_ptr_null(moved("/\\evil.example/"));
	ck_assert_ptr_null(moved("/"));
}
END_TEST

START_TEST(any_origin_may_when_none_is_named)
{
	ROUTE("x", "path", "/x", "app", "a");
	ck_assert(allowed("Origin: https://evil.example\r\n"));
	refused("origin", "a.example", "HOST");
	refused("origin", "https://", "HOST");
	refused("origin", "https://a/", "HOST");
	refused("origin", "https://a*.b", "HOST");
	refused("origin", "https://*", "HOST");
	refused("origin", "https://a.*", "HOST");
	refused("origin", "https://a:99999", "HOST");
	refused("origin", "1x://a", "HOST");
	refused("origin", "://a", "HOST");
	refused("origin", "", "at least one");
}
END_TEST

int
main(void)
{
	const TTest	*const tests[] = {
		the_first_route_that_matches_wins,
		paths_match_by_segments,
		a_path_gives_decoded_bytes,
		sources_are_tried_in_order_and_empty_is_missing,
		a_digest_is_not_what_a_client_says,
		a_long_credential_is_as_good,
		without_a_value_the_request_is_bad,
		too_long_is_bad_whatever_follows,
		made_uids_have_their_forms_and_differ,
		the_group_may_stand_in_the_names_of_uids,
		named_header_fields_are_kept,
		parts_of_the_request_are_kept,
		mistakes_are_explained,
		routes_are_complete,
		routes_are_of_one_mind_about_limits,
		links_are_listed,
		the_star_target_has_no_route,
		other_origins_are_kept_out,
		origins_of_any_kind,
		self_is_the_host_as_the_client_knows_it,
		the_first_subprotocol_that_is_offered_is_chosen,
		a_slash_too_many_or_too_few_is_moved,
		any_origin_may_when_none_is_named,
	};
	Suite	*s = suite_create("route");
	TCase	*t = tcase_create("route");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	for (size_t i = 0; i < nitems(tests); i++)
		tcase_add_test(t, tests[i]);
	tcase_add_loop_test(t, a_credential_is_no_name, 0,
	    nitems(credentials));
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
