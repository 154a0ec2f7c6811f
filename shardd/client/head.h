/* What an answer begins with, as the request and its route want it. */
#ifndef SHARDD_HEAD_H
#define SHARDD_HEAD_H

struct conn;
struct kennel_request;
struct payload;

/* Does a browser ask, before a page of another origin may use the route? */
int	 head_preflight(const struct conn *c, const struct kennel_request *q);
/* Add what pages of other origins must be told, where the route says which may. */
void	 head_cors(const struct conn *c, struct kennel_request *q);
/* The 101.  What it agrees to is in q->conn.  NULL without memory. */
struct payload *head_upgrade(const struct kennel_request *q);
/* The head of a response that goes on.  NULL without memory. */
struct payload *head_stream(const struct kennel_request *q, int status,
	    const char *type);

#endif
