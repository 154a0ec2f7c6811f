/*
 * A client's stay with its application: from the capsule that brings a connection
 * to its last callback.  What connections tell goes on to the application here.
 */
#ifndef SHARDD_SESSION_H
#define SHARDD_SESSION_H

struct capsule;
struct conn;
struct event_base;
struct gate;
struct kennel_app;
struct options;
struct replica;
struct sessions;

/* s is zeroed but for apps; the others are borrowed.  0, or -1 with errno. */
int	 session_init(struct sessions *s, struct event_base *base,
	    const struct options *opt, struct gate *gate);
/* Everybody has gone, and had the last callback. */
void	 session_clear(struct sessions *s);

/* A capsule arrived for app and r (NULL: for no group); fd is taken on success.
 * The record is copied.  PARKED.  NULL with errno. */
struct conn *session_adopt(struct sessions *s, const struct capsule *cap,
	    const struct kennel_app *app, struct replica *r, int fd);
/* ADOPTED is with the kernel: begin. */
void	 session_start(struct conn *c);
/* Never began (ADOPTED could not be said): nothing was touched. */
void	 session_drop(struct conn *c);

#endif
