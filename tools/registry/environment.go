package registry

import "path/filepath"

// FromEnvironment returns the options that a process's environment gives: where docker
// and podman keep their credentials, and GitHub's. get is asked for one variable at a
// time, as os.Getenv is.
func FromEnvironment(get func(string) string) Options {
	home := get("HOME")
	o := Options{
		DockerAuthConfig: get("DOCKER_AUTH_CONFIG"),
		DockerConfigDir:  get("DOCKER_CONFIG"),
		GitHub:           GitHub{Actor: get("GITHUB_ACTOR"), Token: get("GITHUB_TOKEN")},
		AWS:              AWS{Profile: get("AWS_PROFILE")},
	}
	if o.DockerConfigDir == "" && home != "" {
		o.DockerConfigDir = filepath.Join(home, ".docker")
	}
	if file := get("REGISTRY_AUTH_FILE"); file != "" {
		o.AuthFiles = append(o.AuthFiles, file)
	}
	if dir := get("XDG_RUNTIME_DIR"); dir != "" {
		o.AuthFiles = append(o.AuthFiles, filepath.Join(dir, "containers", "auth.json"))
	}
	config := get("XDG_CONFIG_HOME")
	if config == "" && home != "" {
		config = filepath.Join(home, ".config")
	}
	if config != "" {
		o.AuthFiles = append(o.AuthFiles, filepath.Join(config, "containers", "auth.json"))
	}
	return o
}
