/*
 * Completing the settings: what nobody said, and what does not go together or
 * cannot be had here.  All of this ends the process with a sentence if it must.
 */
#ifndef GATEWAYD_COMPLETE_H
#define GATEWAYD_COMPLETE_H

struct load;
struct settings;

/* What the environment has for us, and children need not. */
void	 complete_secrets(struct settings *s);
void	 complete_settings(struct load *l);
/* By what other servers know us that bring us files, and where they reach us. */
void	 complete_ape(struct settings *s);
/* What workers hear of the routes. */
void	 complete_routes(struct settings *s);
/* The user to be: another one only if root says so. */
void	 complete_user(struct settings *s);
/* The programs: the worker's, redis-server. */
void	 complete_worker(struct load *l);
/*
 * Into the descriptors that this process may have.  Bounds that nobody asked
 * for are lowered until they fit; those asked for are an error.
 */
void	 complete_fit(struct load *l);
/* Is worker the one that comes along?  NULL: nobody asked for another. */
int	 complete_is_ours(const char *worker);

#endif
