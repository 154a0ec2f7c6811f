/* Answers that all applications give alike: OPTIONS, to pages of others, JSON. */
#include <stdio.h>
#include <string.h>

#include "shardd/apps/apps.h"
#include "shardd/apps/js.h"

void
app_for_all_origins(struct kennel_request *q)
{
	const char	*wanted;

	kennel_header(q, "Access-Control-Allow-Origin", "*");
	kennel_header(q, "Vary", "Origin");
	if (strcmp(kennel_request_method(q), "OPTIONS") != 0 ||
	    kennel_request_header(q, "Access-Control-Request-Method") == NULL)
		return;
	kennel_header(q, "Access-Control-Allow-Methods", "GET, HEAD");
	wanted = kennel_request_header(q, "Access-Control-Request-Headers");
	if (wanted != NULL)
		kennel_header(q, "Access-Control-Allow-Headers", wanted);
	kennel_header(q, "Access-Control-Max-Age", "600");
}

int
app_options(struct kennel_request *q, const char *allow)
{
	char	 all[128];

	if (strcmp(kennel_request_method(q), "OPTIONS") != 0)
		return (0);
	snprintf(all, sizeof(all), "%s, OPTIONS", allow);
	kennel_header(q, "Allow", all);
	kennel_respond(q, 204, NULL, NULL, 0);
	return (1);
}

void
app_respond_text(struct kennel_request *q, struct js_text *t)
{
	if (js_end(t) == -1) {
		kennel_respond(q, 503, NULL, NULL, 0);
		return;
	}
	kennel_header(q, "Cache-Control", "no-store");
	kennel_respond(q, 200, "application/json", t->data, t->len);
	js_clear(t);
}
