/*
 * The side of a journey to which connections come.
 *
 * One that is expected has its entry in the lookup, and what is said to its replica is
 * kept for it.  When it comes, it is held until the replica has heard all that the
 * old one had; then it is ours.
 */
#ifndef SHARDD_LANDING_H
#define SHARDD_LANDING_H

struct ctl;
struct journeys;
struct landing;

/* FERRY: fd is taken.  NULL with errno. */
struct landing *landing_new(struct journeys *js, const struct ctl *m, int fd);
/* The gateway is gone: whoever is not on the way is not expected any more. */
void	 landing_stop(struct landing *l);
/* There is another gateway, to which we say next what is here: nobody is held. */
void	 landing_settle(struct landing *l);
/* Go on, if there is anything to do; may free l.  Returns whether something waits. */
int	 landing_run(struct landing *l);
/* This process ends. */
void	 landing_end(struct landing *l);

#endif
