/*
 * echo: every WebSocket message and every HTTP body comes back as it is.  GET
 * without a body answers with the request's own head, but not with what a page may
 * not read (RFC 9110 9.3.8 says the same of TRACE): cookies and credentials.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/apps/apps.h"

/* Is it a field that a script in the page has no other way to read: the browser's,
 * or a proxy's?  The words of proto/digest.c. */
static int
echo_hides(const char *name)
{
	static const char *const	 words[] = { "api-key", "apikey",
	    "assertion", "authorization", "cookie", "credential", "jwt", "oidc",
	    "passw", "secret", "token" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasestr(name, words[i]) != NULL)
			return (1);
	return (0);
}

static void
echo_head(struct kennel_request *q)
{
	const char	*name, *value;
	char		*text = NULL;
	size_t		 len = 0;
	FILE		*f;

	if ((f = open_memstream(&text, &len)) == NULL) {
		kennel_respond(q, 503, NULL, NULL, 0);
		return;
	}
	fprintf(f, "%s %s\n", kennel_request_method(q),
	    kennel_request_path(q));
	for (size_t i = 0;
	    (name = kennel_request_header_at(q, i, &value)) != NULL; i++)
		if (!echo_hides(name))
			fprintf(f, "%s: %s\n", name, value);
	if (fclose(f) != 0) {
		free(text);
		kennel_respond(q, 503, NULL, NULL, 0);
		return;
	}
	kennel_header(q, "X-Content-Type-Options", "nosniff");
	kennel_respond(q, 200, "text/plain; charset=utf-8", text, len);
	free(text);
}

static void
echo_receive(struct kennel_request *q)
{
	const char	*method = kennel_request_method(q), *body, *type;
	size_t		 len;

	if (kennel_request_upgrades(q)) {
		kennel_connect(q);
		return;
	}
	if (app_options(q, "GET, HEAD, POST, PUT"))
		return;
	body = kennel_request_body(q, &len);
	if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) {
		echo_head(q);
		return;
	}
	if (strcmp(method, "POST") != 0 && strcmp(method, "PUT") != 0) {
		kennel_header(q, "Allow", "GET, HEAD, POST, PUT");
		kennel_respond(q, 405, "text/plain", "Method Not Allowed\n", 19);
		return;
	}
	type = kennel_request_header(q, "Content-Type");
	/* Never run as a page of ours what somebody made a browser post. */
	kennel_header(q, "X-Content-Type-Options", "nosniff");
	kennel_header(q, "Content-Security-Policy", "sandbox");
	kennel_respond(q, 200,
	    type != NULL ? type : "application/octet-stream", body, len);
}

static void
echo_message(struct kennel_socket *s, const struct kennel_message *m)
{
	kennel_send(s, m->data, m->len, m->binary ? KENNEL_BINARY : 0);
}

const struct kennel_app echo_app = {
	.name = "echo",
	.receive = echo_receive,
	.onmessage = echo_message,
	.moves = 1,
};
