package registry

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

func TestParseECR(t *testing.T) {
	tests := map[string]struct {
		want ecrHost
		ok   bool
	}{
		"123456789012.dkr.ecr.eu-central-1.amazonaws.com":       {ecrHost{account: "123456789012", region: "eu-central-1"}, true},
		"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com": {ecrHost{account: "123456789012", region: "us-gov-west-1", fips: true}, true},
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn":      {ecrHost{account: "123456789012", region: "cn-north-1"}, true},
		"123456789012.dkr-ecr.eu-west-1.on.aws":                 {ecrHost{account: "123456789012", region: "eu-west-1"}, true},
		"123456789012.dkr-ecr-fips.us-east-1.on.aws":            {ecrHost{account: "123456789012", region: "us-east-1", fips: true}, true},
		"public.ecr.aws": {ecrHost{region: "us-east-1", public: true}, true},
		"12345678901.dkr.ecr.eu-central-1.amazonaws.com":          {},
		"123456789012.dkr.ecr.eu-central-1.amazonaws.com.evil.io": {},
		"123456789012.dkr.ecr.eu-central-1.amazonaws.community":   {},
		"evil.io/123456789012.dkr.ecr.eu-west-1.amazonaws.com":    {},
		"ghcr.io": {},
	}
	for host, test := range tests {
		if got, ok := parseECR(host); got != test.want || ok != test.ok {
			t.Errorf("parseECR(%s) = %+v, %t, want %+v, %t", host, got, ok, test.want, test.ok)
		}
	}
}

func TestFIPSHostsUseTheFIPSEndpoint(t *testing.T) {
	e := newECR(AWS{}, nil)
	for fips, want := range map[bool]aws.FIPSEndpointState{true: aws.FIPSEndpointStateEnabled, false: aws.FIPSEndpointStateUnset} {
		if got := e.client(aws.Config{}, ecrHost{fips: fips}).Options().EndpointOptions.UseFIPSEndpoint; got != want {
			t.Errorf("fips %t: %v, want %v", fips, got, want)
		}
	}
}
