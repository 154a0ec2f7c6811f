/*
 * The built-in applications, one row in main.c each, and the answers that they give
 * alike.
 */
#ifndef SHARDD_APPS_APPS_H
#define SHARDD_APPS_APPS_H

#include "shardd/kennel.h"

struct js_text;

extern const struct kennel_app ape_app;		/* functions that browsers call */
extern const struct kennel_app chat_app;	/* the chat room */
extern const struct kennel_app echo_app;	/* what you send, you get */
extern const struct kennel_app front_app;	/* front page, assets, health */
extern const struct kennel_app pact_app;	/* rooms that remember */
struct kennel_app app_events(void);		/* clients of fast-tcp */

/*
 * What pages of any origin may read: says so in the answer to come, unless the
 * route's key origin does.
 */
void	 app_for_all_origins(struct kennel_request *q);
/* Answers OPTIONS, allow being the methods ("GET, HEAD"), and ends q: 1.  Else 0.  A
 * browser that asks for a page of another origin (after app_for_all_origins()) is
 * told that it may. */
int	 app_options(struct kennel_request *q, const char *allow);
/* Ends t and answers with it, which is JSON and not to be kept. */
void	 app_respond_text(struct kennel_request *q, struct js_text *t);

#endif
