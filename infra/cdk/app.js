// The template with the values that a company wants to set, for those who deploy by CDK:
//   npx cdk deploy -c domain=example.org -c alarmAddress=it@example.org
//   npx cdk deploy -c vpcId=vpc-… -c subnetIds=subnet-…,subnet-… -c securityGroupIds=sg-…   the SFTP server inside a VPC
// CodeUri must already be an address in S3, for CDK does not package what it includes: `sam build && sam package
// --resolve-s3 --output-template-file packaged.yaml`, then -c template=packaged.yaml.
const path = require('node:path');
const { App, Stack } = require('aws-cdk-lib');
const { CfnInclude } = require('aws-cdk-lib/cloudformation-include');

const app = new App();
const value = (name) => app.node.tryGetContext(name);

function parameters() {
  const set = {
    Domain: value('domain'),
    AlarmAddress: value('alarmAddress'),
    Door: value('vpcId') ? 'vpc' : value('door'),
    DoorVpcId: value('vpcId'),
    DoorSubnetIds: value('subnetIds')?.split(','),
    DoorSecurityGroupIds: value('securityGroupIds')?.split(','),
    ArchiveLockDays: value('archiveLockDays'),
  };
  if (set.Door === 'vpc' && !(set.DoorSubnetIds && set.DoorSecurityGroupIds)) {
    throw new Error('an SFTP server in a VPC needs vpcId, subnetIds and securityGroupIds');
  }
  return Object.fromEntries(Object.entries(set).filter(([, given]) => given !== undefined));
}

const stack = new Stack(app, value('stackName') ?? 'postkahn', {
  description: 'Postkahn, an archive of one\'s own for e-mail that moves in over SFTP',
  terminationProtection: value('environment') !== 'dev',
});
new CfnInclude(stack, 'Template', {
  templateFile: path.resolve(value('template') ?? path.join(__dirname, '..', 'template.yaml')),
  parameters: parameters(),
});
