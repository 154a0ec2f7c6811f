/* Which browser a request or connection belongs to. */
#ifndef SHARDD_APE_COOKIE_H
#define SHARDD_APE_COOKIE_H

#include "shardd/kennel-ape.h"

#define COOKIE_SESSION	"apeClientId"

/*
 * The session of a browser that sent this cookie (NULL: none) and which its route
 * has given this uid: one of the two, if it has the shape; else one made of it,
 * always the same.
 */
void	 cookie_session(char dst[APE_ID + 1], const char *cookie, const char *uid);
/* The session of a request.  Returns whether its cookie says it. */
int	 cookie_request(char dst[APE_ID + 1], struct kennel_request *q);
/* Have the answer say which it is, if the request did not. */
void	 cookie_keep(struct kennel_request *q);

#endif
